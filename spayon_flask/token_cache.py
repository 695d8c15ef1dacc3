"""CachedToken: one token for a cluster, in a cachelib cache."""

from __future__ import annotations

import contextvars
import logging
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from .config import TokenCache
from .hidden import Hidden


logger = logging.getLogger(__name__)

#: Seconds for which one process may keep the others waiting while it asks Spayon.
LOCK_SECONDS = 15

#: Seconds that a cache may take to answer. Redis accepts connections even if it is stuck, and its
#: clients wait without end unless they are told otherwise.
PATIENCE = 2.0

#: Seconds for which a cache that failed, or did not answer, is left alone.
PAUSE = 60.0

_POLL_SECONDS = 0.05


class CachedToken:
    """The token under *key* of *cache*, which processes and hosts share.

    A cache that fails is as good as none: it is logged, each process asks for its own token, and
    the cache is left alone for a minute. A cache that does not answer within *patience* seconds
    has failed. Entries carry the wall-clock time of their expiry, since hosts share no other clock.
    """

    def __init__(
        self,
        cache: TokenCache,
        key: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        patience: float = PATIENCE,
    ) -> None:
        self._cache = cache
        self._key = key
        self._lock_key = key + ":lock"
        self._clock = clock
        self._wall_clock = wall_clock
        self._sleep = sleep
        self._patience = patience
        self._left_alone_until = -math.inf
        self._stuck: threading.Thread | None = None

    def obtain(
        self,
        fetch: Callable[[], tuple[str, float]],
        *,
        margin: Callable[[float], float],
        wait: bool,
    ) -> tuple[str, float] | None:
        """Return the shared token and its remaining seconds, asked for by one process.

        *fetch* returns a new one with its seconds, *margin* says how long before its end a token
        is due for renewal. Returns None if another process is asking and *wait* is false.
        """
        rounds = math.ceil(LOCK_SECONDS / _POLL_SECONDS) if wait else 1

        for _ in range(rounds):
            if (found := self._read(margin)) is not None:
                return found

            if self._call("add", self._lock) is not False:
                return self._fetch_and_share(fetch, margin)

            if wait:
                self._sleep(_POLL_SECONDS)

        return fetch() if wait else None

    def drop(self, access_token: str) -> None:
        """Forget *access_token*, unless the cache holds a newer one."""
        entry = _hidden(self._call("get", lambda: self._cache.get(self._key)))

        if isinstance(entry, list) and entry and entry[0] == access_token:
            self._call("delete", lambda: self._cache.delete(self._key))

    def _fetch_and_share(
        self, fetch: Callable[[], tuple[str, float]], margin: Callable[[float], float]
    ) -> tuple[str, float]:
        try:
            # Another process may have shared its token after we looked, and left the lock since.
            if (found := self._read(margin)) is not None:
                return found

            access_token, seconds = fetch()
            # Plain text: another host may not have the class that hides it.
            self._call(
                "set",
                lambda: self._cache.set(
                    self._key,
                    [str(access_token), seconds, self._wall_clock() + seconds],
                    timeout=max(1, int(seconds)),
                ),
            )
            return access_token, seconds

        finally:
            self._call("delete", lambda: self._cache.delete(self._lock_key))

    def _read(self, margin: Callable[[float], float]) -> tuple[str, float] | None:
        entry = _hidden(self._call("get", lambda: self._cache.get(self._key)))

        try:
            access_token, seconds, expires_at = entry
            left = float(expires_at) - self._wall_clock()
            fresh = isinstance(access_token, str) and left > margin(float(seconds))

        except (TypeError, ValueError):
            return None

        return (access_token, left) if fresh else None

    def _lock(self) -> Any:
        return self._cache.add(self._lock_key, 1, timeout=LOCK_SECONDS)

    def _call(self, method: str, call: Callable[[], Any]) -> Any:
        """Return what *call* of the cache's *method* returns, or None if it failed or is stuck."""
        if self._clock() < self._left_alone_until:
            return None

        # A call that is stuck since the last time tells more than another one beside it would.
        if self._stuck is not None and self._stuck.is_alive():
            return self._failed(method, "still does not answer")

        try:
            returned = in_time(call, self._patience)

        except StuckError as error:
            self._stuck = error.thread
            return self._failed(method, f"gave no answer for {self._patience:g} s")

        except Exception as error:  # noqa: BLE001  each backend has its own errors, and none may stop a payment
            return self._failed(method, f"failed ({type(error).__name__})")

        self._stuck = None
        return returned

    def _failed(self, method: str, how: str) -> None:
        self._left_alone_until = self._clock() + PAUSE
        logger.warning(
            "TOKEN_CACHE %s in %s; going on without it for %d s: give its client a socket_timeout",
            how,
            method,
            PAUSE,
        )


class StuckError(Exception):
    """A call has not come back in time; *thread* is still waiting for it."""

    def __init__(self, thread: threading.Thread) -> None:
        super().__init__("no answer in time")
        self.thread = thread


def in_time(call: Callable[[], Any], seconds: float) -> Any:
    """Return what *call* returns, or raise what it raises; `StuckError` after *seconds*.

    In a thread of its own, since nothing else ends the wait for a cache that has no time-out.
    """
    outcome: Future[Any] = Future()

    def work() -> None:
        try:
            outcome.set_result(call())

        except Exception as error:  # noqa: BLE001  for the caller, who knows what to do about it
            outcome.set_exception(error)

    # With the context of the caller: Flask-Caching looks for the app there.
    context = contextvars.copy_context()
    thread = threading.Thread(
        target=context.run, args=(work,), name="spayon-token-cache", daemon=True
    )
    thread.start()
    thread.join(seconds)

    if not outcome.done():
        raise StuckError(thread)

    return outcome.result()


def _hidden(entry: Any) -> Any:
    """Return *entry* of the cache as a list whose texts show in no repr, or None if it is none."""
    if not isinstance(entry, list | tuple):
        return None

    return [Hidden(value) if isinstance(value, str) else value for value in entry]
