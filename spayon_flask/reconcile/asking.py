"""Asking: the threads that wait for Spayon, until it wants to be left alone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from ..errors import AuthenticationError
from ..errors import GatewayError
from ..errors import GatewayUnavailableError
from ..reports import Report


Ask = Callable[[str, datetime, datetime], Report | None]

#: However long Spayon asks to wait, a payment is asked about again after so many seconds.
_LONGEST_WAIT = 24 * 3600.0


class HeldError(Exception):
    """Spayon was not asked: another answer, or *stop*, had put an end to that."""


class Asking:
    """Call *ask* with at most *jobs* calls at once, until *stop* is set."""

    def __init__(
        self, ask: Ask, clock: Callable[[], datetime], stop: threading.Event, jobs: int
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._stop = stop
        self._held = threading.Event()
        self._threads = ThreadPoolExecutor(jobs, thread_name_prefix="reconcile")

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown()

    def submit(self, session_id: str, ends_at: datetime) -> Future[Report | None]:
        """Ask about a payment session as soon as there is a free thread.

        The future raises `HeldError` where no call was made, else the `GatewayError` of the call.
        """
        return self._threads.submit(self._ask_unless_held, session_id, ends_at)

    def go_on(self) -> None:
        """Ask again, after an answer that had put an end to it."""
        self._held.clear()

    def _ask_unless_held(self, session_id: str, ends_at: datetime) -> Report | None:
        if self._held.is_set() or self._stop.is_set():
            raise HeldError

        try:
            return self._ask(session_id, ends_at, self._clock())

        except GatewayError as error:
            # Here, and not where the answers are collected: the next call begins at once.
            if isinstance(error, AuthenticationError) or seconds_to_wait(error):
                self._held.set()

            raise


def seconds_to_wait(error: GatewayError) -> float:
    """Return for how long Spayon wants to be left alone, 0 where it does not say."""
    if not isinstance(error, GatewayUnavailableError) or not error.retry_after:
        return 0.0

    return min(error.retry_after, _LONGEST_WAIT)
