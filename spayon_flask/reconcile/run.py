"""Run: one pass over the payments that are due, of one account or of many."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ..domain.reports import Report
from ..errors import AuthenticationError, GatewayError, GatewayUnavailableError
from ..storage import Due
from .reconciler import JOBS, Reconciler
from .summary import Beat, Heartbeat, Step, Summary

logger = logging.getLogger(__name__)

#: If Spayon asks to be left alone for longer than so many seconds, the run ends.
PATIENCE = 10.0

#: After so many calls in a row without a usable answer, or as many as run at once, the run ends.
MAX_FAILURES = 5

#: After that, what is due is asked about so much later.
AWAY = timedelta(minutes=2)

#: A run begins no more calls after so many seconds.
LONGEST_RUN = 300.0

#: However long Spayon asks to wait, a payment is asked about again after so many seconds.
_LONGEST_WAIT = 24 * 3600.0


def reconcile(
    reconcilers: Sequence[Reconciler],
    clock: Callable[[], datetime],
    heartbeat: Heartbeat,
    *,
    limit: int | None = None,
    jobs: int = JOBS,
    progress: Callable[[Step], object] | None = None,
    stop: threading.Event | None = None,
) -> Summary:
    """Ask about what is due, then hand over what the dispatcher has yet to get.

    Each account has one of *reconcilers*, and the options are those of `Spayon.reconcile`.
    """
    stop = stop or threading.Event()
    accounts = [_Account(each) for each in reconcilers]
    summary = Run(
        accounts, clock, jobs=jobs, limit=limit, progress=progress or (lambda _: None), stop=stop
    ).go()

    for each in reconcilers:
        each.hand_over(summary, stop)

    heartbeat.write(Beat(clock(), summary.exit_code, str(summary)))
    return summary


@dataclass(eq=False)
class _Account:
    """One account in a run: who asks for it, and how that goes."""

    reconciler: Reconciler
    #: Payments that were leased, and those of them that Spayon is being asked about.
    leased: int = 0
    asking: int = 0
    #: Calls in a row without a usable answer, and what was logged of them.
    failures: int = 0
    said: set[str] = field(default_factory=set)
    all_leased: bool = False
    #: Spayon does not accept the credentials.
    refused: bool = False
    #: Until then Spayon is left alone, by every host.
    resume_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        return not (self.all_leased or self.refused or self.resume_at)


class Run:
    """Lease payments of *accounts* that are due, ask about *jobs* at once, record the answers.

    The threads of a pool ask, and do nothing else; the thread of the caller leases and records. An
    account that gets no answers holds its share of the threads and no more.
    """

    def __init__(
        self,
        accounts: Sequence[_Account],
        clock: Callable[[], datetime],
        *,
        jobs: int,
        limit: int | None,
        progress: Callable[[Step], object],
        stop: threading.Event,
    ) -> None:
        self.summary = Summary()
        self._accounts = accounts
        self._clock = clock
        self._jobs = jobs
        self._left = limit
        self._progress = progress
        self._stop = stop
        self._ends = time.monotonic() + LONGEST_RUN
        self._asking: dict[Future[Report | None], tuple[_Account, Due]] = {}

    def go(self) -> Summary:
        """Run to the end, and return what was done."""
        # Of payments that become due later there is no end: another run takes those.
        began = self._clock()

        with ThreadPoolExecutor(self._jobs, "reconcile") as pool:
            try:
                while True:
                    leased = self._begin(pool, began)

                    if self._asking:
                        self._take_what_is_done()

                    # What was leased may have no payment session to ask about.
                    elif not leased and not self._wait():
                        break

            finally:
                # If an error of the caller ends the run, what has been answered is recorded.
                for future, (account, due) in self._asking.items():
                    self._save(future, account, due)

        for account in self._accounts:
            if not account.all_leased:
                left = account.reconciler.leave_the_rest(account.resume_at, now=began)
                self.summary.put_back += left

        return self.summary

    def _begin(self, pool: ThreadPoolExecutor, began: datetime) -> int:
        """Lease payments that were due when the run *began* for the free threads; ask about them.

        Who was served least comes first. Returns how many were leased.
        """
        waiting = sorted((a for a in self._accounts if a.is_open), key=lambda a: a.leased)
        share = max(1, self._jobs // max(1, len(waiting)))
        leased = 0

        for account in waiting:
            free = self._jobs - len(self._asking)
            wanted = min(free, share - account.asking, free if self._left is None else self._left)

            if not free or self._is_over():
                break

            if wanted > 0:
                leased += self._lease(pool, account, wanted, began)

        return leased

    def _lease(
        self, pool: ThreadPoolExecutor, account: _Account, wanted: int, began: datetime
    ) -> int:
        leased = account.reconciler.lease(wanted, due_by=began)
        # What others have leased is theirs: to look again in this run would be of no use.
        account.all_leased = len(leased) < wanted
        account.leased += len(leased)

        if self._left is not None:
            self._left -= len(leased)

        for due in leased:
            if due.session_id is None:
                self._expire(account, due)

            else:
                future = pool.submit(account.reconciler.ask, due.session_id, due.ends_at)
                self._asking[future] = account, due
                account.asking += 1

        return len(leased)

    def _is_over(self) -> bool:
        """Return True if this run begins no more calls."""
        return self._left == 0 or self._stop.is_set() or time.monotonic() > self._ends

    def _wait(self) -> bool:
        """Keep quiet for as long as Spayon wished; return False if this run is over."""
        waiting = [each for each in self._accounts if not (each.all_leased or each.refused)]
        moments = [each.resume_at for each in waiting if each.resume_at is not None]

        if not moments or self._is_over():
            return False

        first = min(moments)
        seconds = (first - self._clock()).total_seconds()

        if seconds > PATIENCE or (seconds > 0 and self._stop.wait(seconds)):
            return False

        for each in waiting:
            each.resume_at = None if each.resume_at == first else each.resume_at

        return True

    def _take_what_is_done(self) -> None:
        for future in wait(self._asking, return_when=FIRST_COMPLETED).done:
            account, due = self._asking.pop(future)
            account.asking -= 1
            self._take(future, account, due)

    def _take(self, future: Future[Report | None], account: _Account, due: Due) -> None:
        """Record what Spayon says of a payment, or leave the payment to another run."""
        self.summary.asked += 1

        try:
            status = account.reconciler.record(due, future.result())

        except AuthenticationError as error:
            self._stop_asking(account, error)
            self.summary.put_back += 1
            account.reconciler.postpone(due, until=self._clock())

        except GatewayError as error:
            self._leave(account, due, error)

        except Exception:
            # One payment must not keep the others waiting; the next run tries again.
            logger.exception("not recorded", extra={"payment_id": due.payment_id})
            account.failures = 0
            self._fail(due)

        else:
            account.failures = 0
            self._done(due, status=status)

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

    def _save(self, future: Future[Report | None], account: _Account, due: Due) -> None:
        try:
            account.reconciler.record(due, future.result())

        except Exception:
            logger.exception("not recorded", extra={"payment_id": due.payment_id})

    def _leave(self, account: _Account, due: Due, error: GatewayError) -> None:
        """Leave a payment for another run, since there was no usable answer."""
        problem = str(error)
        self.summary.unanswered += 1
        account.failures += 1
        self._done(due, problem=problem)

        # The summary counts them; the same words for each payment would tell nothing more.
        if problem not in account.said:
            account.said.add(problem)
            ids = {"account": account.reconciler.account, "payment_id": due.payment_id}
            logger.warning("no status: %s", error, extra=ids)

        if isinstance(error, GatewayUnavailableError) and error.retry_after:
            pause = timedelta(seconds=min(error.retry_after, _LONGEST_WAIT))
            account.resume_at = self._clock() + pause
            account.reconciler.postpone(due, until=account.resume_at)

        elif account.failures == max(MAX_FAILURES, self._jobs):
            account.resume_at = self._clock() + AWAY
            logger.warning("reconcile stops: %d calls in a row had no answer", account.failures)

    def _expire(self, account: _Account, due: Due) -> None:
        """End a payment that has no payment session, and will have none."""
        try:
            self._done(due, status="expired" if account.reconciler.expire(due) else None)

        except Exception:
            logger.exception("not recorded", extra={"payment_id": due.payment_id})
            self._fail(due)

    def _fail(self, due: Due) -> None:
        self.summary.failed += 1
        self._done(due, problem="could not be recorded: see the log")

    def _done(self, due: Due, *, status: str | None = None, problem: str | None = None) -> None:
        if status:
            self.summary.changed[status] += 1

        self._progress(Step(due.payment_id, due.session_id, status, problem))
