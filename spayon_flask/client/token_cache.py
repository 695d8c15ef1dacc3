"""CachedToken: one token for a cluster, in a cachelib cache."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from typing import Any

from ..domain.redaction import Hidden

logger = logging.getLogger(__name__)

#: Seconds for which one process may keep the others waiting while it asks Spayon.
LOCK_SECONDS = 15

#: Seconds for which a cache that failed is left alone.
PAUSE = 60.0

_POLL_SECONDS = 0.05


#: A token is renewed this many seconds before its end, or for the last tenth of a short life.
RENEW_AHEAD = 300.0


def margin(seconds: float) -> float:
    """Return how long before its end a token is renewed that lives so many *seconds*."""
    return min(RENEW_AHEAD, seconds / 10)


class CachedToken:
    """The token under *key* of *cache*, which processes and hosts share.

    A cache that fails is as good as none: it is logged, each process asks for its own token, and
    the cache is left alone for a minute. A cache that gives no answer must say so itself: a client
    of Redis needs a `socket_timeout`. Entries carry the wall-clock time of their expiry, since
    hosts share no other clock.
    """

    def __init__(
        self,
        cache: Any,
        key: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cache = cache
        self._key = key
        self._lock_key = key + ":lock"
        self._clock = clock
        self._left_alone_until = -math.inf

    def obtain(
        self,
        fetch: Callable[[], tuple[str, float]],
        *,
        wait: float,
    ) -> tuple[str, float] | None:
        """Return the shared token and its remaining seconds, asked for by one process.

        *fetch* returns a new one with its seconds. If another process is asking, it is waited for
        *wait* seconds; returns None if that is 0.
        """
        rounds = math.ceil(wait / _POLL_SECONDS) or 1

        for _ in range(rounds):
            if (found := self._read()) is not None:
                return found

            if self._call("add", self._lock) is not False:
                return self._fetch_and_share(fetch)

            if wait:
                time.sleep(_POLL_SECONDS)

        return fetch() if wait else None

    def drop(self, access_token: str) -> None:
        """Forget *access_token*, unless the cache holds a newer one."""
        entry = _hidden(self._call("get", lambda: self._cache.get(self._key)))

        if isinstance(entry, list) and entry and entry[0] == access_token:
            self._call("delete", lambda: self._cache.delete(self._key))

    def _fetch_and_share(self, fetch: Callable[[], tuple[str, float]]) -> tuple[str, float]:
        try:
            # Another process may have shared its token after we looked, and left the lock since.
            if (found := self._read()) is not None:
                return found

            access_token, seconds = fetch()
            # Plain text: another host may not have the class that hides it.
            self._call(
                "set",
                lambda: self._cache.set(
                    self._key,
                    [str(access_token), seconds, time.time() + seconds],
                    timeout=max(1, int(seconds)),
                ),
            )
            return access_token, seconds

        finally:
            self._call("delete", lambda: self._cache.delete(self._lock_key))

    def _read(self) -> tuple[str, float] | None:
        entry = _hidden(self._call("get", lambda: self._cache.get(self._key)))

        try:
            access_token, seconds, expires_at = entry
            left = float(expires_at) - time.time()
            fresh = isinstance(access_token, str) and left > margin(float(seconds))

        except (TypeError, ValueError):
            return None

        return (access_token, left) if fresh else None

    def _lock(self) -> Any:
        return self._cache.add(self._lock_key, 1, timeout=LOCK_SECONDS)

    def _call(self, method: str, call: Callable[[], Any]) -> Any:
        """Return what *call* of the cache's *method* returns, or None if the cache failed."""
        if self._clock() < self._left_alone_until:
            return None

        try:
            return call()

        except Exception as error:  # noqa: BLE001  each backend has its own errors, and none may stop a payment
            self._left_alone_until = self._clock() + PAUSE
            logger.warning(
                "TOKEN_CACHE failed (%s) in %s; going on without it for %d s",
                type(error).__name__,
                method,
                PAUSE,
            )
            return None


def _hidden(entry: Any) -> Any:
    """Return *entry* of the cache as a list whose texts show in no repr, or None if it is none."""
    if not isinstance(entry, list | tuple):
        return None

    return [Hidden(value) if isinstance(value, str) else value for value in entry]
