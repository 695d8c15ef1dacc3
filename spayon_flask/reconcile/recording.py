"""Recording: the threads that write answers down, while others go on asking."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from contextlib import nullcontext
from datetime import datetime
from typing import Any

from ..reports import Report
from ..storage import Due
from ..storage import Storage


#: Answers that are recorded at once, at most. Commits wait for the disk side by side; each takes a
#: connection, and a pool has 15 unless the shop says otherwise.
RECORDERS = 4

Context = Callable[[], AbstractContextManager[object]]


class Recording:
    """Record answers in *storage*, at most *jobs* of them at once, each in a *context* of its own.

    Where only one transaction can write at a time, and with one job, all of it happens in the
    caller's thread.
    """

    def __init__(
        self, storage: Storage, clock: Callable[[], datetime], context: Context, jobs: int
    ) -> None:
        self._storage = storage
        self._clock = clock
        threads = min(jobs, RECORDERS)
        aside = threads > 1 and storage.writes_side_by_side
        self._context: Context = context if aside else nullcontext
        self._threads: Executor = (
            ThreadPoolExecutor(threads, thread_name_prefix="record") if aside else _Here()
        )

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown()

    def submit(self, due: Due, report: Report) -> Future[str | None]:
        """Record what Spayon says of a payment; the result is its new status, if it changed."""
        return self._threads.submit(self._record, due, report)

    def _record(self, due: Due, report: Report) -> str | None:
        with self._context():
            status = self._storage.record(report, source="status_check", now=self._clock()).status

            if due.ended and status is None:
                self._storage.close(due.payment_id)

            return status


class _Here(Executor):
    """The caller's own thread."""

    def submit(self, work: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        future: Future[Any] = Future()

        try:
            future.set_result(work(*args, **options))

        except Exception as error:  # noqa: BLE001  the caller finds it in the future
            future.set_exception(error)

        return future
