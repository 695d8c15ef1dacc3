"""TokenService: one bearer token an hour, whatever asks for it."""

from __future__ import annotations

import copy
import logging
import math
import os
import re
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from ..domain.redaction import Hidden, HiddenDict
from ..errors import GatewayError, GatewayUnavailableError, UnexpectedAnswerError
from .token_cache import LOCK_SECONDS, CachedToken, margin
from .transport import Answer

logger = logging.getLogger(__name__)

#: Seconds a token is good for (Spayon's documentation, authentication), if an answer does not say.
_TOKEN_SECONDS = 3600.0

#: No token is believed to live longer than this many seconds.
_LONGEST_LIFE = 24 * 3600.0

#: After a failed renewal the valid token serves this many seconds before the next one.
RETRY_AFTER = 10.0


class Token(NamedTuple):
    """A bearer token, and the seconds it was good for when Spayon gave it out."""

    access_token: str
    expires_in: float

    def __repr__(self) -> str:
        return f"Token(expires_in={self.expires_in})"

    def __sentry_repr__(self) -> str:
        return repr(self)


def read_token(answer: Answer, *, took: float) -> Token:
    """Return the token in Spayon's *answer*, which *took* so many seconds to come.

    Raises `UnexpectedAnswerError` if there is none.
    """
    # Relies on: token-expires-in
    data = HiddenDict(answer.json_object())
    token = Hidden(data["access_token"] if isinstance(data.get("access_token"), str) else "")

    # It becomes a header: a line break in it would be another header.
    if not re.fullmatch(r"[!-~]+", token):
        raise UnexpectedAnswerError("Spayon's answer holds no usable access_token")

    return Token(token, max(_seconds(data.get("expires_in")) - took, 0.0))


def _seconds(value: object) -> float:
    # Relies on: token-expires-in, token-lifetime
    # A life that makes no sense stops no checkout: a token that is refused is replaced anyway.
    with suppress(TypeError, ValueError, OverflowError):
        if not isinstance(value, bool) and 0 < (seconds := float(value)) < math.inf:  # type: ignore[arg-type]  # what is suppressed
            return min(seconds, _LONGEST_LIFE)

    return _TOKEN_SECONDS


class _Held(NamedTuple):
    access_token: Hidden
    renew_at: float
    expires_at: float


class TokenService:
    """Hand out a bearer token, fetching a new one shortly before expiry.

    *fetch* asks Spayon and may raise a `GatewayError`; it is given the seconds that this may take
    if there is such a limit. *clock* counts seconds and never goes back.
    With *cache*, a cachelib cache, the token serves every process that shares it. Safe across
    threads and forks: concurrent first calls make one request, and all of them get its outcome.
    """

    def __init__(
        self,
        fetch: Callable[..., Token],
        *,
        clock: Callable[[], float] = time.monotonic,
        cache: Any = None,
        cache_key: str = "spayon:token",
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._shared = CachedToken(cache, cache_key) if cache is not None else None
        self._held: _Held | None = None
        self._finished = 0
        self._failure: GatewayError | None = None
        self._reset_locks()
        _alive.add(self)

    def __repr__(self) -> str:
        return f"<TokenService holding {'a token' if self._held else 'no token'}>"

    def get(self, within: float | None = None) -> str:
        """Return a valid token, *within* so many seconds if they are given.

        Raises what *fetch* raises if there is none, and none can be had.
        """
        fetch = self._fetch if within is None else partial(self._fetch, within)
        held = self._held
        now = self._clock()

        if held is not None and now < held.renew_at:
            return held.access_token

        if held is not None and now < held.expires_at:
            return self._renew_ahead(held, fetch)

        return self._wait_for_one(fetch, within)

    def drop(self, access_token: str) -> None:
        """Forget *access_token*, which Spayon refused, unless it has been replaced already."""
        with self._changing:
            if self._held is not None and self._held.access_token == access_token:
                self._held = None

        if self._shared is not None:
            self._shared.drop(access_token)

    def _renew_ahead(self, held: _Held, fetch: Callable[[], Token]) -> str:
        # One thread renews; the others go on with a token that is still good.
        if not self._fetching.acquire(blocking=False):
            return held.access_token

        try:
            # Renewed by another thread since we looked.
            if self._held is not None and self._held is not held:
                return self._held.access_token

            # Until it is renewed, the others find the old one with a single look.
            self._postpone(held, held.expires_at - self._clock())
            held = self._held or held
            return self._obtain(held, fetch, 0.0)

        except GatewayError as error:
            logger.warning("token renewal failed, the old one still serves: %s", error)
            return self._postpone(held)

        finally:
            self._fetching.release()

    def _wait_for_one(self, fetch: Callable[[], Token], within: float | None) -> str:
        seen = self._finished

        if not self._fetching.acquire(timeout=-1 if within is None else within):
            raise GatewayUnavailableError("another thread still waits for a token", sent=False)

        try:
            held = self._held

            if held is not None and self._clock() < held.expires_at:
                return held.access_token

            # An attempt that ended after our call speaks for us too: a gateway that is away must
            # not keep each of many threads waiting in turn.
            if self._finished > seen and self._failure is not None:
                raise copy.copy(self._failure)

            return self._obtain(None, fetch, LOCK_SECONDS if within is None else within)

        finally:
            self._fetching.release()

    def _obtain(self, held: _Held | None, fetch: Callable[[], Token], wait: float) -> str:
        """Return a new token; another process that is asking for one is waited for *wait* seconds.

        Without a *wait*, *held* serves on.
        """
        self._failure = None

        try:
            if self._shared is None:
                token, seconds = fetch()

            else:
                found = self._shared.obtain(fetch, wait=wait)

                if found is None and held is not None:
                    return self._postpone(held, seconds=1.0)

                token, seconds = found or fetch()

        except GatewayError as error:
            # A copy, since the traceback of the original would keep its frames alive.
            self._failure = copy.copy(error)
            raise

        finally:
            self._finished += 1

        now = self._clock()

        with self._changing:
            held = _Held(Hidden(token), now + seconds - margin(seconds), now + seconds)
            self._held = held

        return held.access_token

    def _postpone(self, held: _Held, seconds: float = RETRY_AFTER) -> str:
        with self._changing:
            if self._held is held:
                self._held = held._replace(renew_at=self._clock() + seconds)

        return held.access_token

    def _reset_locks(self) -> None:
        self._fetching = threading.Lock()
        self._changing = threading.Lock()


#: Those of this process. A hook for each of them would outlive it: there is no way to remove one.
_alive: weakref.WeakSet[TokenService] = weakref.WeakSet()


def _survive_fork() -> None:
    """Give a forked child fresh locks: one that was held at the fork would stay so for ever."""
    for service in _alive:
        service._reset_locks()  # noqa: SLF001  the service's own hook


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_survive_fork)
