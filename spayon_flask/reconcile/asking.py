"""Asking: the threads that wait for Spayon, until it wants to be left alone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from queue import SimpleQueue

from ..errors import AuthenticationError
from ..errors import GatewayError
from ..errors import GatewayUnavailableError
from ..reports import Report
from ..storage import Due
from .crew import Crew
from .one_core import OneCore
from .recording import Finished
from .recording import Recording


Ask = Callable[[str, datetime, datetime], Report | None]

#: However long Spayon asks to wait, a payment is asked about again after so many seconds.
_LONGEST_WAIT = 24 * 3600.0


class HeldError(Exception):
    """Spayon was not asked: another answer, or *stop*, had put an end to that."""


class Asking:
    """Call *ask* with at most *jobs* calls at once, until *stop* is set.

    What it answers goes on to *recording*, from the thread that has asked. Where there is nothing
    to record, that is put into *finished*.
    """

    def __init__(
        self,
        ask: Ask,
        recording: Recording,
        finished: SimpleQueue[Finished],
        clock: Callable[[], datetime],
        stop: threading.Event,
        jobs: int,
    ) -> None:
        self._ask = ask
        self._recording = recording
        self._finished = finished
        self._clock = clock
        self._stop = stop
        self._held = threading.Event()
        # Only these, which run nothing of the shop: what a handler starts may use all cores.
        self._crew = Crew(self._work, jobs, "reconcile", around=OneCore())

    def __enter__(self) -> None:
        self._crew.__enter__()

    def __exit__(self, *_: object) -> None:
        # Something is left to be asked only where an error ends the run.
        self._held.set()
        self._crew.__exit__()

    def submit(self, due: Due) -> None:
        """Ask about a payment that has a payment session, as soon as there is a free thread.

        It finishes with `HeldError` where no call was made, or with the `GatewayError` of the call.
        """
        self._crew.submit(due)

    def go_on(self) -> None:
        """Ask again, after an answer that had put an end to it."""
        self._held.clear()

    def _work(self, due: Due) -> None:
        try:
            report = self._ask_unless_held(due)

        except BaseException as error:  # noqa: BLE001  raised again in the thread of the run
            self._finished.put(Finished(due, error=error))

        else:
            if report is None:
                self._finished.put(Finished(due))

            else:
                self._recording.submit(due, report)

    def _ask_unless_held(self, due: Due) -> Report | None:
        if self._held.is_set() or self._stop.is_set():
            raise HeldError

        assert due.session_id is not None  # noqa: S101  the others are never submitted

        try:
            return self._ask(due.session_id, due.ends_at, self._clock())

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
