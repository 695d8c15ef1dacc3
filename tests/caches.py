"""A cache in Redis as the docs make it: it unpickles nothing."""

import json

from cachelib import RedisCache


class Json:
    """What JsonCache writes and reads with."""

    def dumps(self, value: object) -> str:
        return json.dumps(value)

    def loads(self, value: bytes | None) -> object:
        return None if value is None else json.loads(value)


class JsonCache(RedisCache):
    """A cache in Redis that unpickles nothing."""

    serializer = Json()  # type: ignore[assignment]  # of another base
