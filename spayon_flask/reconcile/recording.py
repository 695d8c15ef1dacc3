"""Recording: the threads that write answers down, while others go on asking."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from contextlib import nullcontext
from datetime import datetime
from queue import SimpleQueue
from typing import NamedTuple

from ..reports import Report
from ..storage import Due
from ..storage import Storage
from .crew import Crew


#: Answers that are recorded at once, at most. Commits wait for the disk side by side; each takes a
#: connection, and a pool has 15 unless the shop says otherwise.
RECORDERS = 4

Context = Callable[[], AbstractContextManager[object]]


class Finished(NamedTuple):
    """A payment that no thread works on any more.

    *status* is its new status, if it changed; *error* is what went wrong. *unrecorded* is an answer
    that the thread of the run has yet to record.
    """

    due: Due
    status: str | None = None
    error: BaseException | None = None
    unrecorded: Report | None = None

    def result(self) -> str | None:
        """Return the new status, if it changed; raises *error*."""
        if self.error is not None:
            raise self.error

        return self.status


class Recording:
    """Record answers in *storage*, at most *jobs* of them at once, each in a *context* of its own.

    What is done is put into *finished*. Where only one transaction can write at a time, and with
    one job, that is the answer itself: the thread of the run calls `record`.
    """

    def __init__(
        self,
        storage: Storage,
        finished: SimpleQueue[Finished],
        clock: Callable[[], datetime],
        context: Context,
        jobs: int,
    ) -> None:
        self._storage = storage
        self._finished = finished
        self._clock = clock
        threads = min(jobs, RECORDERS)
        self._aside = threads > 1 and storage.writes_side_by_side
        self._context: Context = context if self._aside else nullcontext
        self._crew = Crew(self._record_aside, threads if self._aside else 0, "record")

    def __enter__(self) -> None:
        self._crew.__enter__()

    def __exit__(self, *_: object) -> None:
        self._crew.__exit__()

    def submit(self, due: Due, report: Report) -> None:
        """Have what Spayon says of a payment recorded; any thread may call this."""
        if self._aside:
            self._crew.submit((due, report))

        else:
            self._finished.put(Finished(due, unrecorded=report))

    def record(self, due: Due, report: Report) -> Finished:
        """Record what Spayon says of a payment, and return what came of it."""
        try:
            with self._context():
                status = self._record(due, report)

        except BaseException as error:  # noqa: BLE001  raised again in the thread of the run
            return Finished(due, error=error)

        return Finished(due, status)

    def _record_aside(self, answer: tuple[Due, Report]) -> None:
        self._finished.put(self.record(*answer))

    def _record(self, due: Due, report: Report) -> str | None:
        status = self._storage.recorder.record(
            report, source="status_check", now=self._clock()
        ).status

        if due.ended and status is None:
            self._storage.schedule.close(due.payment_id)

        return status
