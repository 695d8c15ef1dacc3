"""SharedToken: one token for a cluster, in a cachelib cache."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from typing import Any

from .config import TokenCache


logger = logging.getLogger(__name__)

#: Seconds for which one process may keep the others waiting while it asks Spayon.
LOCK_SECONDS = 15

_POLL_SECONDS = 0.05


class SharedToken:
    """The token under *key* of *cache*, which processes and hosts share.

    A cache that fails is as good as none: it is logged, and each process asks for its own token.
    Entries carry the wall-clock time of their expiry, since hosts share no other clock.
    """

    def __init__(
        self,
        cache: TokenCache,
        key: str,
        *,
        wall_clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._cache = cache
        self._key = key
        self._lock_key = key + ":lock"
        self._wall_clock = wall_clock
        self._sleep = sleep

    def obtain(
        self,
        fetch: Callable[[], tuple[str, float]],
        *,
        margin: Callable[[float], float],
        wait: bool,
    ) -> tuple[str, float] | None:
        """Return the shared token and its remaining seconds, asked for by one process.

        *fetch* returns a new one with its seconds, *margin* says how long before its end a token
        is due for renewal. Returns None where another process is asking and *wait* is false.
        """
        rounds = math.ceil(LOCK_SECONDS / _POLL_SECONDS) if wait else 1

        for _ in range(rounds):
            if (found := self._read(margin)) is not None:
                return found

            if self._call("add", self._lock_key, 1, timeout=LOCK_SECONDS) is not False:
                return self._fetch_and_share(fetch)

            if wait:
                self._sleep(_POLL_SECONDS)

        return fetch() if wait else None

    def drop(self, access_token: str) -> None:
        """Forget *access_token*, unless the cache holds a newer one."""
        entry = self._call("get", self._key)

        if isinstance(entry, list | tuple) and entry and entry[0] == access_token:
            self._call("delete", self._key)

    def _fetch_and_share(self, fetch: Callable[[], tuple[str, float]]) -> tuple[str, float]:
        try:
            access_token, seconds = fetch()
            entry = [access_token, seconds, self._wall_clock() + seconds]
            self._call("set", self._key, entry, timeout=max(1, int(seconds)))
            return access_token, seconds

        finally:
            self._call("delete", self._lock_key)

    def _read(self, margin: Callable[[float], float]) -> tuple[str, float] | None:
        entry = self._call("get", self._key)

        try:
            access_token, seconds, expires_at = entry
            left = float(expires_at) - self._wall_clock()
            fresh = isinstance(access_token, str) and left > margin(float(seconds))

        except (TypeError, ValueError):
            return None

        return (access_token, left) if fresh else None

    def _call(self, method: str, *args: Any, **options: Any) -> Any:
        try:
            return getattr(self._cache, method)(*args, **options)

        except Exception:  # noqa: BLE001  each backend has its own errors, and none may stop a payment
            logger.warning("TOKEN_CACHE failed in %s; going on without it", method)
            return None
