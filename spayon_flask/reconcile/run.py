"""Run: one pass over the payments that are due."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from datetime import timedelta
from queue import SimpleQueue

from ..errors import AuthenticationError
from ..errors import GatewayError
from ..errors import GatewayUnavailableError
from ..reports import Report
from ..storage import Due
from ..storage import Storage
from .hand_over import hand_over
from .leases import Leases
from .summary import Step
from .summary import Summary


logger = logging.getLogger(__name__)

#: Where Spayon asks to wait, a run waits no longer than so many seconds, and ends otherwise.
PATIENCE = 10.0

#: However long Spayon asks to wait, a payment is asked about again after so many seconds.
_LONGEST_WAIT = 24 * 3600.0

Ask = Callable[[str, datetime, datetime], Report | None]


class Run:
    """Take the payments that are due now, *ask* about each, and give the answers to *storage*.

    At most *limit* payments, *jobs* calls at once. *progress* is called with each payment that is
    done; once *stop* is set, what is under way is finished and the rest left for another run.
    """

    def __init__(
        self,
        ask: Ask,
        storage: Storage,
        clock: Callable[[], datetime],
        *,
        jobs: int,
        limit: int | None,
        progress: Callable[[Step], object] | None,
        stop: threading.Event | None,
    ) -> None:
        self.summary = Summary()
        self._ask = ask
        self._storage = storage
        self._clock = clock
        self._jobs = jobs
        self._leases = Leases(storage, clock, batch=jobs * 2, limit=limit)
        self._progress = progress
        self._stop = stop or threading.Event()
        self._under_way: dict[Future[Report | None], Due] = {}
        self._answered: SimpleQueue[Future[Report | None]] = SimpleQueue()
        self._ended = False
        self._resume_at: datetime | None = None

    def go(self) -> Summary:
        """Run to the end, and return what was done."""
        with ThreadPoolExecutor(self._jobs, thread_name_prefix="reconcile") as pool:
            while self._fill(pool) or self._under_way:
                self._collect()

        for due in self._leases.unused():
            self._put_back(due)

        hand_over(self._storage, self._clock, self._stop, self.summary)
        return self.summary

    def _fill(self, pool: ThreadPoolExecutor) -> bool:
        """Put the free threads to work; say whether there may be more."""
        while len(self._under_way) < self._jobs:
            if not self._ended and not self._under_way:
                self._wait()

            if self._ended or self._stop.is_set() or self._resume_at is not None:
                return False

            due = self._leases.next()

            if due is None:
                return False

            if due.session_id is None:
                self._expire(due)

            else:
                future = pool.submit(self._ask, due.session_id, due.ends_at, self._clock())
                self._under_way[future] = due
                future.add_done_callback(self._answered.put)

        return True

    def _wait(self) -> None:
        """Keep quiet for as long as Spayon wished, unless that is too long for one run."""
        if self._resume_at is None:
            return

        seconds = (self._resume_at - self._clock()).total_seconds()

        if seconds > PATIENCE or (seconds > 0 and self._stop.wait(seconds)):
            self._ended = True

        else:
            self._resume_at = None

    def _collect(self) -> None:
        """Record one answer; meanwhile the other threads go on asking."""
        future = self._answered.get()
        due = self._under_way.pop(future)
        self.summary.asked += 1

        try:
            self._record(due, future.result())

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
            self._fail(due)

    def _record(self, due: Due, report: Report | None) -> None:
        status = None

        if report is not None:
            now = self._clock()
            status = self._storage.record(report, source="status_check", now=now).status

        self._done(due, status=status)

    def _expire(self, due: Due) -> None:
        """End a payment that has no payment session, and will have none."""
        try:
            now = self._clock()
            over = now >= due.ends_at
            changed = over and self._storage.expire_unanswered(due.payment_id, now=now)
            self._done(due, status="expired" if changed else None)

        except Exception:
            logger.exception("not recorded", extra={"payment_id": due.payment_id})
            self._fail(due)

    def _leave(self, due: Due, error: GatewayError) -> None:
        logger.warning("no status: %s", error, extra={"payment_id": due.payment_id})
        self.summary.unanswered += 1
        self._done(due, problem=str(error))

        if isinstance(error, GatewayUnavailableError) and error.retry_after:
            seconds = min(error.retry_after, _LONGEST_WAIT)
            self._resume_at = self._clock() + timedelta(seconds=seconds)
            self._leases.postpone(due, self._resume_at)

    def _put_back(self, due: Due) -> None:
        self.summary.put_back += 1
        self._leases.postpone(due, self._resume_at or self._clock())

    def _fail(self, due: Due) -> None:
        self.summary.failed += 1
        self._done(due, problem="could not be recorded: see the log")

    def _done(self, due: Due, *, status: str | None = None, problem: str | None = None) -> None:
        self.summary.changed.update([status] if status else [])

        if self._progress is not None:
            self._progress(Step(due.payment_id, due.session_id, status, problem))
