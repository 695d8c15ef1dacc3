"""Run: one pass over the payments that are due, of one account or of many."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ..domain.reports import Report
from ..errors import AuthenticationError, GatewayError, GatewayUnavailableError
from ..storage import Due
from .reconciler import JOBS, Beat, Heartbeat, Reconciler, Step, Summary

logger = logging.getLogger(__name__)

#: If Spayon asks to be left alone for longer than so many seconds, the run ends.
PATIENCE = 10.0

#: After so many calls in a row without a usable answer, or as many as run at once, the run ends.
MAX_FAILURES = 5

#: After that, what is due is asked about so much later.
AWAY = timedelta(minutes=2)

#: A run begins no more calls after so many seconds.
LONGEST_RUN = 300.0

#: Callback rows that are leased at once for the dispatcher.
_BATCH = 100

_Asked = Future[Report | None]


def reconcile(
    reconcilers: Sequence[Reconciler],
    clock: Callable[[], datetime],
    heartbeat: Heartbeat,
    **options: Any,
) -> Summary:
    """Ask about what is due, then hand over what the dispatcher has yet to get.

    Each account has one of *reconcilers*, and the *options* are those of `Spayon.reconcile`.
    """
    run = Run(reconcilers, clock, **options)
    run.ask()
    run.hand_over()
    heartbeat.write(Beat(clock(), run.summary.exit_code, str(run.summary)))
    return run.summary


@dataclass(eq=False)
class _Account:
    """One account in a run: who asks for it, and how that goes."""

    reconciler: Reconciler
    #: How many payments were leased, and whether these were all that were due.
    leased: int = 0
    all_leased: bool = False
    #: Calls in a row without a usable answer, and what was logged of them.
    failures: int = 0
    said: set[str] = field(default_factory=set)
    #: Spayon does not accept the credentials.
    refused: bool = False
    #: Until then Spayon is left alone, by every host.
    resume_at: datetime | None = None


class Run:
    """Lease what is due of each account, ask about *jobs* payments at once, record the answers.

    The threads of a pool ask, and do nothing else; the thread of the caller leases and records. An
    account that gets no answers holds its share of the threads and no more.
    """

    def __init__(
        self,
        reconcilers: Sequence[Reconciler],
        clock: Callable[[], datetime],
        *,
        jobs: int = JOBS,
        limit: int | None = None,
        progress: Callable[[Step], object] | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self.summary = Summary()
        self._accounts = [_Account(each) for each in reconcilers]
        self._clock = clock
        self._jobs = jobs
        self._left = sys.maxsize if limit is None else limit
        self._progress = progress
        self._stop = stop or threading.Event()
        # Of payments that become due later there is no end: another run takes those.
        self._began = clock()
        self._ends = time.monotonic() + LONGEST_RUN
        self._asking: dict[_Asked, tuple[_Account, Due]] = {}

    def ask(self) -> None:
        """Ask about what is due, and leave to another run what this one does not come to."""
        with ThreadPoolExecutor(self._jobs, "reconcile") as pool:
            try:
                while self._begin(pool) or self._asking or self._wait():
                    self._take_what_is_done()

            finally:
                # If an error of the caller ends the run, what has been answered is recorded.
                self._progress = None

                while self._asking:
                    self._take_what_is_done()

        for account in self._accounts:
            self.summary.put_back += 0 if account.all_leased else self._leave_the_rest(account)

    def _begin(self, pool: ThreadPoolExecutor) -> int:
        """Lease payments for the free threads, and return how many.

        The account that was served least comes first.
        """
        waiting = [a for a in self._accounts if not (a.all_leased or a.refused or a.resume_at)]
        share = max(1, self._jobs // max(1, len(waiting)))
        leased = 0

        for account in sorted(waiting, key=lambda each: each.leased):
            asking = sum(each is account for each, _ in self._asking.values())
            wanted = min(self._jobs - len(self._asking), share - asking, self._left)

            if wanted > 0 and not self._is_over():
                leased += self._lease(pool, account, wanted)

        return leased

    def _lease(self, pool: ThreadPoolExecutor, account: _Account, wanted: int) -> int:
        schedule = account.reconciler.storage.schedule
        leased = schedule.lease_due(now=self._clock(), due_by=self._began, limit=wanted)
        # What others have leased is theirs: to look again in this run would be of no use.
        account.all_leased = len(leased) < wanted
        account.leased += len(leased)
        self._left -= len(leased)

        for due in leased:
            if due.session_id is None:
                self._take(account, due, None)

            else:
                future = pool.submit(account.reconciler.ask, due.session_id, due.ends_at)
                self._asking[future] = account, due

        return len(leased)

    def _is_over(self) -> bool:
        """Return True if this run begins no more calls."""
        return self._left == 0 or self._stop.is_set() or time.monotonic() > self._ends

    def _wait(self) -> bool:
        """Keep quiet for as long as Spayon wished; return False if this run is over."""
        moments = [a.resume_at for a in self._accounts if a.resume_at and not a.all_leased]

        if not moments or self._is_over():
            return False

        first = min(moments)
        seconds = (first - self._clock()).total_seconds()

        if seconds > PATIENCE or (seconds > 0 and self._stop.wait(seconds)):
            return False

        for account in self._accounts:
            account.resume_at = None if account.resume_at == first else account.resume_at

        return True

    def _take_what_is_done(self) -> None:
        for future in wait(self._asking, return_when=FIRST_COMPLETED).done:
            account, due = self._asking.pop(future)
            self.summary.asked += 1
            self._take(account, due, future)

    def _take(self, account: _Account, due: Due, future: _Asked | None) -> None:
        """Record what became of a payment, and tell the caller.

        *future* is None if the payment has no payment session to ask about.
        """
        try:
            step = self._record(account, due, future)

        except Exception:
            # One payment must not keep the others waiting; the next run tries again.
            logger.exception("not recorded", extra={"payment_id": due.payment_id})
            self.summary.failed += 1
            problem = "could not be recorded: see the log"
            step = Step(due.payment_id, due.session_id, problem=problem)

        if step is not None and step.status is not None:
            self.summary.changed[step.status] += 1

        if step is not None and self._progress is not None:
            self._progress(step)

    def _record(self, account: _Account, due: Due, future: _Asked | None) -> Step | None:
        """Record what Spayon says of a payment, or leave the payment to another run."""
        storage, now = account.reconciler.storage, self._clock()

        if future is None:
            is_over = now >= due.ends_at
            ended = is_over and storage.schedule.expire_unanswered(due.payment_id, now=now)
            return Step(due.payment_id, None, "expired" if ended else None)

        try:
            report = future.result()

        except AuthenticationError as error:
            self._stop_asking(account, error)
            self.summary.put_back += 1
            storage.schedule.postpone(due.payment_id, until=now)
            return None

        except GatewayError as error:
            self._leave(account, due, error)
            return Step(due.payment_id, due.session_id, problem=str(error))

        account.failures = 0
        status = None

        if report is not None:
            status = storage.recorder.record(report, source="status_check", now=now).status

        # A payment that has failed or expired is asked about for the last time.
        if due.ended and status is None:
            storage.schedule.postpone(due.payment_id, until=None)

        return Step(due.payment_id, due.session_id, status)

    def _stop_asking(self, account: _Account, error: AuthenticationError) -> None:
        """Ask no more for *account*, whose credentials are wrong."""
        if account.refused:
            return

        name = account.reconciler.account
        logger.error("reconcile stops: %s", error, extra={"account": name})
        account.refused = True

        if vendor := name.partition("/")[2]:
            self.summary.refused_vendors.append(vendor)

        else:
            self.summary.refused = True

    def _leave(self, account: _Account, due: Due, error: GatewayError) -> None:
        """Leave a payment for another run, since there was no usable answer."""
        self.summary.unanswered += 1
        account.failures += 1

        # The summary counts them; the same words for each payment would tell nothing more.
        if str(error) not in account.said:
            account.said.add(str(error))
            ids = {"account": account.reconciler.account, "payment_id": due.payment_id}
            logger.warning("no status: %s", error, extra=ids)

        if isinstance(error, GatewayUnavailableError) and error.retry_after:
            account.resume_at = until = self._clock() + timedelta(seconds=error.retry_after)
            account.reconciler.storage.schedule.postpone(due.payment_id, until=until)

        elif account.failures == max(MAX_FAILURES, self._jobs):
            account.resume_at = self._clock() + AWAY
            logger.warning("reconcile stops: %d calls in a row had no answer", account.failures)

    def _leave_the_rest(self, account: _Account) -> int:
        """Return how many payments are left; no host asks while Spayon is to be left alone."""
        schedule, until = account.reconciler.storage.schedule, account.resume_at
        now = self._began
        return schedule.postpone_due(now=now, until=until) if until else schedule.count_due(now=now)

    def hand_over(self) -> None:
        """Give the dispatcher each callback row that waits for it; what fails, waits on."""
        due_by = self._clock()

        for account in self._accounts:
            outbox = account.reconciler.storage.outbox

            while not self._stop.is_set() and (
                rows := outbox.lease(now=self._clock(), due_by=due_by, limit=_BATCH)
            ):
                for row in rows:
                    try:
                        self.summary.handed_over += outbox.hand_over(row)

                    except Exception:
                        self.summary.failed += 1
                        ids = {"callback_id": row.callback_id}
                        logger.exception("not handed over; the next run tries again", extra=ids)
