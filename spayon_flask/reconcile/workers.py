"""Workers: the threads that ask Spayon, and those that record what it said."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from datetime import timedelta
from functools import partial
from queue import SimpleQueue
from typing import NamedTuple

from ..errors import AuthenticationError
from ..errors import GatewayError
from ..errors import GatewayUnavailableError
from ..reports import Report
from ..storage import Due


#: Answers that are recorded at once, at most. Commits wait for the disk side by side; each takes a
#: connection, and a pool has 15 unless the shop says otherwise.
RECORDERS = 4

#: Payments are marked as asked about so many seconds before their call, at most.
LEAD = timedelta(seconds=0.1)

#: A payment that was marked so much earlier has to be marked anew before its call.
LATE = timedelta(seconds=0.25)

#: However long Spayon asks to wait, a payment is asked about again after so many seconds.
_LONGEST_WAIT = 24 * 3600.0

Ask = Callable[[str, datetime, datetime], Report | None]

Record = Callable[[Due, Report], str | None]

#: What a thread makes of a payment: its new status, None if that has not changed, or Spayon's
#: answer if the thread of the run has to record it.
Outcome = Report | str | None


class HeldError(Exception):
    """Spayon was not asked: not any more, or not yet."""


class Asking(NamedTuple):
    """A payment that was marked as asked about at *marked_at*."""

    due: Due
    marked_at: datetime


class Workers:
    """Call *ask* in *jobs* threads; with *aside*, call *record* in up to four more.

    Without *aside*, the answers are the outcome, and the caller records them. At the end of a
    `with` block no call begins any more, and what has been answered is recorded.
    """

    def __init__(
        self,
        ask: Ask,
        record: Record,
        clock: Callable[[], datetime],
        stop: threading.Event,
        *,
        jobs: int,
        aside: bool,
    ) -> None:
        self._ask = ask
        self._record = record
        self._clock = clock
        self._stop = stop
        self._jobs = jobs
        self._aside = aside
        self._asking = ThreadPoolExecutor(jobs, "reconcile")
        self._recording = ThreadPoolExecutor(RECORDERS, "reconcile_record")
        self._held = threading.Event()
        #: None for a call that has ended, whatever came of it, and then what came of it.
        self._news: SimpleQueue[tuple[Asking, Future[Outcome]] | None] = SimpleQueue()
        self._calls = 0
        self._call_seconds = 1.0
        #: How many payments were submitted whose outcome has not been told.
        self.under_way = 0

    def __enter__(self) -> None:
        self._recording.__enter__()
        self._asking.__enter__()

    def __exit__(self, *_: object) -> None:
        self.hold()
        self._asking.shutdown()
        self._recording.shutdown()

    def wanted(self) -> int:
        """Return how many payments to submit now: 0, or enough to be worth a transaction.

        That is one for each free thread, and as many as are begun within `LEAD` at Spayon's pace.
        """
        # If recording does not keep up, fewer calls are made.
        if self.under_way > self._jobs * 3:
            return 0

        ahead = min(int(self._jobs * LEAD.total_seconds() / self._call_seconds), self._jobs)
        wanted = self._jobs + ahead - self._calls
        return wanted if wanted > ahead // 2 else 0

    def submit(self, asking: Asking) -> None:
        """Have Spayon asked about a payment that has a payment session."""
        asked = self._asking.submit(self._call, asking)
        self._calls += 1
        self.under_way += 1
        asked.add_done_callback(partial(self._hand_on, asking))

    def hear(self) -> Iterator[tuple[Asking, Future[Outcome]]]:
        """Wait until a call or a payment is done, and yield the payments that are done by now."""
        while True:
            news = self._news.get()

            if news is None:
                self._calls -= 1

            else:
                self.under_way -= 1
                yield news

            if self._news.empty():
                return

    def hold(self) -> None:
        """Make no more calls, not even for payments that were submitted."""
        self._held.set()

    def go_on(self) -> None:
        """Ask again, after an answer that had put an end to it."""
        self._held.clear()

    def _call(self, asking: Asking) -> Outcome:
        due, began, now = asking.due, time.monotonic(), self._clock()

        if self._held.is_set() or self._stop.is_set() or now - asking.marked_at > LATE:
            raise HeldError

        assert due.session_id is not None  # noqa: S101  the others are never submitted

        try:
            report = self._ask(due.session_id, due.ends_at, now)

        except GatewayError as error:
            # Here, and not in the thread of the run: another thread may be about to call.
            if isinstance(error, AuthenticationError) or seconds_to_wait(error):
                self._held.set()

            raise

        # Of Spayon's pace only a usable answer tells.
        self._call_seconds = max(time.monotonic() - began, 0.001)
        return report

    def _hand_on(self, asking: Asking, asked: Future[Outcome]) -> None:
        """Pass an answer on to a thread that records, and all else to the thread of the run."""
        self._news.put(None)
        outcome = None if asked.exception() else asked.result()

        if self._aside and isinstance(outcome, Report):
            recorded: Future[Outcome] = self._recording.submit(self._record, asking.due, outcome)
            recorded.add_done_callback(lambda future: self._news.put((asking, future)))

        else:
            self._news.put((asking, asked))


def seconds_to_wait(error: GatewayError) -> float:
    """Return for how long Spayon wants to be left alone, 0 if it does not say."""
    if not isinstance(error, GatewayUnavailableError) or not error.retry_after:
        return 0.0

    return min(error.retry_after, _LONGEST_WAIT)
