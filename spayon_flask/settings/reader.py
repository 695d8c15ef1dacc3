"""Typed values out of a Flask config, with errors that say what to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import tzinfo
from typing import Any, Protocol
from urllib.parse import urlsplit

from ..domain.orders import is_link
from ..domain.redaction import Hidden
from ..errors import ConfigError

_DAY = 24 * 3600

#: A text, a text for each language code, or a function that is given the code.
ByLanguage = str | Mapping[str, str] | Callable[[str], str]


class TokenCache(Protocol):
    """What is used of a cachelib cache; timeouts are in seconds."""

    def get(self, key: str) -> Any: ...
    def set(self, key: str, value: Any, timeout: int | None = None) -> Any: ...
    def add(self, key: str, value: Any, timeout: int | None = None) -> Any: ...
    def delete(self, key: str) -> Any: ...


class ConfigReader:
    """Take typed values out of a Flask config. An empty text counts as unset."""

    def __init__(self, config: Mapping[str, Any], prefix: str) -> None:
        self._config = config
        self._prefix = prefix
        #: The keys that must be set, and are not.
        self.missing: list[str] = []

    def error(self, key: str, what: str) -> ConfigError:
        """Return the error that names *key* and says *what* to do."""
        return ConfigError(f"{self._prefix}{key} {what}")

    def _get(self, key: str) -> Any:
        value = self._config.get(self._prefix + key)
        return None if value == "" else value

    def text(self, key: str) -> str | None:
        """Return the text under *key*, or None if it is unset."""
        value = self._get(key)
        return None if value is None else self._text(key, value)

    def _text(self, key: str, value: object) -> str:
        # from_prefixed_env reads FLASK_SPAYON_CLIENT_ID=123 as a number.
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)

        if not isinstance(value, str):
            raise self.error(key, f"must be text, not {type(value).__name__}")

        if value != value.strip() or not value.isprintable():
            raise self.error(key, "must not begin or end with white space, or hold line breaks")

        return value

    def secret(self, key: str) -> str:
        """Return the text under *key*, which must be there."""
        return self._secret(key, self._get(key))

    def secrets(self, key: str) -> tuple[str, ...]:
        """Return the text under *key*, or the texts, as a tuple."""
        value = self._get(key)
        values = value if isinstance(value, list | tuple) else [value]

        if not values:
            raise self.error(key, "is an empty list: give at least one secret")

        return tuple(self._secret(key, each) for each in values)

    def _secret(self, key: str, value: object) -> str:
        if value is None or value == "":
            self.missing.append(key)
            return ""

        return Hidden(self._text(key, value))

    def url(self, key: str) -> str | None:
        """Return a base URL without its trailing slash."""
        value = self.text(key)

        if value is None:
            return None

        try:
            parts = urlsplit(value)
            usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
            usable = usable and not (parts.query or parts.fragment or parts.username)

        except ValueError:
            usable = False

        if not usable or " " in value or "//" in parts.path:
            raise self.error(
                key, "must be a base URL such as https://shop.example, without query or user name"
            )

        return value.rstrip("/")

    def flag(self, key: str, *, default: bool) -> bool:
        """Return True or False."""
        value = self._get(key)

        if not isinstance(value, bool | None):
            raise self.error(key, "must be True or False: in the environment write true or false")

        return default if value is None else value

    def seconds(self, key: str, *defaults: float) -> tuple[float, ...]:
        """Return as many numbers of seconds as there are *defaults*; one may stand for all."""
        value = self._get(key)

        if value is None:
            return defaults

        values = value if isinstance(value, list | tuple) else [value] * len(defaults)

        if len(values) != len(defaults):
            raise self.error(key, "must be seconds, or a pair: seconds to connect, to read")

        return tuple(self._seconds(key, each) for each in values)

    def _seconds(self, key: str, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.error(key, "must be a number of seconds, or '[3.05, 10]' for a pair")

        # Not a number is not less than anything.
        if not 0 < value <= _DAY:
            raise self.error(key, "must be more than 0 and at most a day, in seconds")

        return float(value)

    def cache(self, key: str) -> TokenCache | None:
        """Return an object with the methods of a cachelib cache."""
        value = self._get(key)
        needed = ("get", "set", "add", "delete")

        if value is not None and not all(hasattr(value, name) for name in needed):
            raise self.error(key, "must be a cachelib cache, such as cachelib.RedisCache()")

        return value  # type: ignore[no-any-return]  # a config holds Any

    def names(self, key: str) -> tuple[str, ...] | None:
        """Return a list of names, which may be written with commas."""
        value = self._get(key)

        if value is None:
            return None

        if isinstance(value, str):
            value = [name.strip() for name in value.split(",")]

        if not isinstance(value, list | tuple) or not value or not all(value):
            raise self.error(
                key, "must be a list of names: in the environment write visamaster,mir"
            )

        return tuple(self._text(key, name) for name in value)

    def zone(self, key: str) -> tzinfo | None:
        """Return a time zone by its name."""
        name = self.text(key)

        if name is None:
            return None

        # Imported for those who set one: it takes longer than most of our own modules.
        from zoneinfo import ZoneInfo  # noqa: PLC0415  on demand

        try:
            return ZoneInfo(name)

        except (LookupError, ValueError, OSError):
            # A machine that knows no zones lacks tzdata.
            raise self.error(
                key, "must name a time zone, such as Asia/Yerevan; if it does, install tzdata"
            ) from None

    def by_language(self, key: str, *, links: bool = False) -> ByLanguage | None:
        """Return a text, a mapping of texts by language code, or a function; or None.

        With *links* each text must be a URL, or a path from the root of the host.
        """
        value = self._get(key)

        if value is None or callable(value):
            # A function is asked anew for each page.
            return value  # type: ignore[no-any-return]  # a config holds Any

        texts = self.texts(key) if isinstance(value, Mapping) else self._text(key, value)
        read = list(texts.values()) if isinstance(texts, Mapping) else [texts]

        if not read or not all(read):
            raise self.error(key, "must be text, or map language codes to texts: {'hy': '...'}")

        if links and not all(map(is_link, read)):
            raise self.error(key, "must be a URL such as https://shop.example/, or a path as /")

        return texts

    def texts(self, key: str) -> Mapping[str, str]:
        """Return a mapping of texts."""
        value = self._get(key)

        if value is None:
            return {}

        if not isinstance(value, Mapping):
            raise self.error(key, "must map texts to texts; in the environment write JSON")

        return {self._text(key, name): self._text(key, text) for name, text in value.items()}


def in_language(value: ByLanguage, code: str) -> str:
    """Return the text of *value* for the language *code*, or else its first one."""
    if isinstance(value, Mapping):
        return str(value.get(code) or next(iter(value.values())))

    return str(value(code) if callable(value) else value)
