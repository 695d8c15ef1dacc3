"""Run: one pass over the payments that are due."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from datetime import timedelta
from queue import SimpleQueue

from ..errors import AuthenticationError
from ..errors import GatewayError
from ..storage import Due
from ..storage import Storage
from .asking import Asking
from .asking import HeldError
from .asking import seconds_to_wait
from .hand_over import hand_over
from .leases import Leases
from .recording import Finished
from .recording import Recording
from .summary import Step
from .summary import Summary


logger = logging.getLogger(__name__)

#: Where Spayon asks to wait, a run waits no longer than so many seconds, and ends otherwise.
PATIENCE = 10.0


class Run:
    """Take the payments that are due now, ask about each, and have the answers recorded.

    At most *limit* payments, with *jobs* calls at once. *progress* is called with each payment that
    is done; once *stop* is set, what is under way is finished and the rest left for another run.
    """

    def __init__(
        self,
        asking: Asking,
        recording: Recording,
        finished: SimpleQueue[Finished],
        storage: Storage,
        clock: Callable[[], datetime],
        *,
        jobs: int,
        limit: int | None,
        progress: Callable[[Step], object] | None,
        stop: threading.Event,
    ) -> None:
        self.summary = Summary()
        self._asking = asking
        self._recording = recording
        self._finished = finished
        self._storage = storage
        self._clock = clock
        self._jobs = jobs
        self._under_way = 0
        self._leases = Leases(storage, clock, limit=limit)
        self._progress = progress
        self._stop = stop
        self._ended = False
        self._resume_at: datetime | None = None

    def go(self) -> Summary:
        """Run to the end, and return what was done."""
        with self._recording, self._asking:
            while self._fill() or self._under_way:
                self._collect()

        for due in self._leases.unused():
            self._put_back(due)

        hand_over(self._storage, self._clock, self._stop, self.summary)
        # What the caller has read before may have been changed by another thread's transaction.
        self._storage.queries.look_again()
        return self.summary

    def _fill(self) -> bool:
        """Keep the threads busy; say whether there may be more."""
        # A call that ends makes way for the next at once, and not only when we get round to it. We
        # do so once for many. And where recording does not keep up, there are fewer calls.
        if self._under_way > self._jobs * 2:
            return True

        while (wanted := self._jobs * 3 - self._under_way) > 0:
            if not (self._ended or self._under_way):
                self._wait()

            if self._ended or self._stop.is_set() or self._resume_at is not None:
                return False

            due = self._leases.next(wanted=wanted)

            if due is None:
                return False

            if due.session_id is None:
                self._expire(due)

            else:
                self._asking.submit(due)
                self._under_way += 1

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
            self._asking.go_on()

    def _collect(self) -> None:
        """Take what one thread has finished; meanwhile the others go on."""
        finished = self._finished.get()
        due = finished.due

        if finished.unrecorded is not None:
            finished = self._recording.record(due, finished.unrecorded)

        self._under_way -= 1

        try:
            status = finished.result()

        except HeldError:
            self._leases.again(due)
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
            self._fail(due)

        else:
            self._done(due, status=status)

        self.summary.asked += 1

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

    def _leave(self, due: Due, error: GatewayError) -> None:
        logger.warning("no status: %s", error, extra={"payment_id": due.payment_id})
        self.summary.unanswered += 1
        self._done(due, problem=str(error))

        if seconds := seconds_to_wait(error):
            self._resume_at = self._clock() + timedelta(seconds=seconds)
            self._leases.postpone(due, self._resume_at)

    def _put_back(self, due: Due) -> None:
        self.summary.put_back += 1
        self._leases.postpone(due, self._resume_at or self._clock())

    def _fail(self, due: Due) -> None:
        self.summary.failed += 1
        self._done(due, problem="could not be recorded: see the log")

    def _done(self, due: Due, *, status: str | None = None, problem: str | None = None) -> None:
        if status:
            self.summary.changed[status] += 1

        if self._progress is not None:
            self._progress(Step(due.payment_id, due.session_id, status, problem))
