"""Run: one pass over the payments that are due."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import nullcontext
from datetime import datetime
from datetime import timedelta

from ..errors import AuthenticationError
from ..errors import GatewayError
from ..reports import Report
from ..storage import Due
from ..storage import Storage
from .reconciler import Context
from .summary import Step
from .summary import Summary
from .workers import Ask
from .workers import Asking
from .workers import HeldError
from .workers import Outcome
from .workers import Workers
from .workers import seconds_to_wait


logger = logging.getLogger(__name__)

#: If Spayon asks to be left alone for longer than so many seconds, the run ends.
PATIENCE = 10.0

#: After so many calls in a row without a usable answer, or as many as run at once, the run ends.
MAX_FAILURES = 5

#: After that, what is due is asked about so much later.
AWAY = timedelta(minutes=2)

#: A run begins no more calls after so many seconds.
LONGEST_RUN = 300.0


class Run:
    """Take the payments that are due, call *ask* for each, and record the answers in *storage*.

    The thread of the caller leases payments and counts what came of them; `Workers` ask about them,
    *jobs* at once, and record, each answer in a *context* of its own. If only one transaction can
    write at a time (SQLite), and with one job, the thread of the caller records.

    A lease marks its payments as asked about. So a payment is leased when a thread is free to ask,
    or will be in a moment; if the moment turns out too long, the payment is marked anew.
    """

    def __init__(
        self,
        ask: Ask,
        storage: Storage,
        clock: Callable[[], datetime],
        context: Context,
        *,
        jobs: int,
        limit: int | None,
        progress: Callable[[Step], object],
        stop: threading.Event,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self.summary = Summary()
        self._storage = storage
        self._clock = clock
        self._left = limit
        self._progress = progress
        self._stop = stop
        self._seconds = seconds
        aside = jobs > 1 and storage.writes_side_by_side
        self._context: Context = context if aside else nullcontext
        self._workers = Workers(ask, self._record, clock, stop, jobs=jobs, aside=aside)
        self._max_failures = max(MAX_FAILURES, jobs)
        #: Those that were leased, and not asked about in time.
        self._again: deque[Asking] = deque()
        self._failures = 0
        self._said: set[str] = set()
        self._ended = False
        self._all_leased = False
        self._resume_at: datetime | None = None

    def go(self) -> Summary:
        """Run to the end, and return what was done."""
        # Of payments that become due later there is no end: another run takes those.
        began = self._clock()

        try:
            with self._workers:
                self._go(began, self._seconds() + LONGEST_RUN)

        finally:
            # If an error of the caller ends the run, what has been answered is recorded.
            self._save()

        for asking in self._again:
            self._put_back(asking.due)

        if not self._all_leased:
            self.summary.put_back += self._leave_the_rest(began)

        return self.summary

    def _leave_the_rest(self, began: datetime) -> int:
        """Leave what is still due to another run, and return how many payments that is.

        If Spayon is away, or wants to be left alone, all hosts are to leave it alone for a while.
        """
        if self._resume_at is None:
            return self._storage.schedule.count_due(now=began)

        return self._storage.schedule.postpone_due(now=began, until=self._resume_at)

    def _go(self, began: datetime, ends: float) -> None:
        while True:
            self._ended = self._ended or self._stop.is_set() or self._seconds() > ends
            is_more = not self._ended and (self._again or not self._all_leased)

            if is_more and self._resume_at is None and (wanted := self._workers.wanted()):
                self._begin(began, wanted)

            elif self._workers.under_way:
                for asking, future in self._workers.hear():
                    self._take(asking, future)

            elif is_more and self._resume_at is not None:
                self._wait(self._resume_at)

            else:
                return

    def _begin(self, began: datetime, wanted: int) -> None:
        """Begin to ask about at most *wanted* payments that were due when the run *began*."""
        now = self._clock()

        if self._again:
            due, marked_at = self._again.popleft()

            # Otherwise somebody else has asked in the meantime.
            if self._storage.schedule.mark(due.payment_id, since=marked_at, now=now):
                self._workers.submit(Asking(due, now))

            return

        if self._left is not None:
            wanted = min(wanted, self._left)

        leased = self._storage.schedule.lease_due(now=now, due_by=began, limit=wanted)

        if self._left is not None:
            self._left -= len(leased)

        # What others have leased is theirs: to look again in this run would be of no use.
        self._all_leased = not leased

        for due in leased:
            if due.session_id is None:
                self._expire(due)

            else:
                self._workers.submit(Asking(due, now))

    def _wait(self, resume_at: datetime) -> None:
        """Keep quiet for as long as Spayon wished, unless that is too long for one run."""
        seconds = (resume_at - self._clock()).total_seconds()

        if seconds > PATIENCE or (seconds > 0 and self._stop.wait(seconds)):
            self._ended = True

        else:
            self._resume_at = None
            self._workers.go_on()

    def _take(self, asking: Asking, future: Future[Outcome]) -> None:
        """Count what came of a payment; raises what is no error of Spayon or of the shop."""
        due = asking.due

        try:
            outcome = future.result()
            status = self._record(due, outcome) if isinstance(outcome, Report) else outcome

        except HeldError:
            self._again.append(asking)
            return

        except AuthenticationError as error:
            if not self.summary.refused:
                logger.error("reconcile stops: %s", error)  # noqa: TRY400  the cause is no bug

            self.summary.refused = self._ended = True
            self._put_back(due)

        except GatewayError as error:
            self._leave(due, error)

        except Exception:
            # One payment must not keep the others waiting; the next run tries again.
            logger.exception("not recorded", extra={"payment_id": due.payment_id})
            self._failures = 0
            self._fail(due)

        else:
            self._failures = 0
            self._done(due, status=status)

        self.summary.asked += 1

    def _record(self, due: Due, report: Report) -> str | None:
        """Record what Spayon says of a payment, and return its new status, if it changed."""
        with self._context():
            outcome = self._storage.recorder.record(
                report, source="status_check", now=self._clock()
            )

            if due.ended and outcome.status is None:
                self._storage.schedule.close(due.payment_id)

            return outcome.status

    def _leave(self, due: Due, error: GatewayError) -> None:
        """Leave a payment for another run, since there was no usable answer."""
        problem = str(error)
        self.summary.unanswered += 1
        self._failures += 1
        self._done(due, problem=problem)

        # The summary counts them; the same words for each payment would tell nothing more.
        if problem not in self._said:
            self._said.add(problem)
            logger.warning("no status: %s", error, extra={"payment_id": due.payment_id})

        if seconds := seconds_to_wait(error):
            self._resume_at = self._clock() + timedelta(seconds=seconds)
            self._postpone(due, self._resume_at)

        elif self._failures >= self._max_failures and not self._ended:
            self._ended = True
            self._resume_at = self._clock() + AWAY
            self._workers.hold()
            logger.warning("reconcile stops: %d calls in a row had no answer", self._failures)

    def _expire(self, due: Due) -> None:
        """End a payment that has no payment session, and will have none."""
        try:
            now = self._clock()
            over = now >= due.ends_at
            changed = over and self._storage.schedule.expire_unanswered(due.payment_id, now=now)
            self._done(due, status="expired" if changed else None)

        except Exception:
            logger.exception("not recorded", extra={"payment_id": due.payment_id})
            self._fail(due)

    def _put_back(self, due: Due) -> None:
        self.summary.put_back += 1
        self._postpone(due, self._resume_at or self._clock())

    def _postpone(self, due: Due, until: datetime) -> None:
        try:
            self._storage.schedule.postpone(due.payment_id, until=until)

        except Exception:
            logger.exception(
                "not put back; it is due again by itself", extra={"payment_id": due.payment_id}
            )

    def _fail(self, due: Due) -> None:
        self.summary.failed += 1
        self._done(due, problem="could not be recorded: see the log")

    def _done(self, due: Due, *, status: str | None = None, problem: str | None = None) -> None:
        if status:
            self.summary.changed[status] += 1

        self._progress(Step(due.payment_id, due.session_id, status, problem))

    def _save(self) -> None:
        """Record the answers that no other thread records, and nobody has taken."""
        while self._workers.under_way:
            for asking, future in self._workers.hear():
                try:
                    if isinstance(outcome := future.result(), Report):
                        self._record(asking.due, outcome)

                except Exception:
                    logger.exception("not recorded", extra={"payment_id": asking.due.payment_id})
