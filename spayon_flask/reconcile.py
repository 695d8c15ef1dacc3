"""Reconcile: ask Spayon about pending payments, and hand the answers to storage."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait
from dataclasses import dataclass
from dataclasses import field
from datetime import datetime
from datetime import timedelta

from .client import Client
from .errors import AuthenticationError
from .errors import GatewayError
from .errors import GatewayUnavailableError
from .errors import HandlerError
from .errors import SessionNotFoundError
from .models import PaymentMixin
from .reports import Report
from .storage import Due
from .storage import Storage


logger = logging.getLogger(__name__)

#: Status calls under way at once, where the caller names no other number.
JOBS = 4


@dataclass
class Summary:
    """What a run of `reconcile` did.

    *asked* counts status calls, *changed* the new statuses, *unanswered* the payments that
    Spayon gave no usable answer for, *failed* those whose handler failed, *handed_over* the rows
    given to the dispatcher. *refused* says that Spayon does not accept our credentials.
    """

    asked: int = 0
    unanswered: int = 0
    failed: int = 0
    handed_over: int = 0
    refused: bool = False
    changed: Counter[str] = field(default_factory=Counter)

    @property
    def exit_code(self) -> int:
        """0 all answered, 1 something is wrong on our side, 2 Spayon left some unanswered."""
        if self.refused or self.failed:
            return 1

        return 2 if self.unanswered else 0


class Reconciler:
    """Ask about payments through *client*, with the times of *clock*."""

    def __init__(self, client: Client, storage: Storage, clock: Callable[[], datetime]) -> None:
        self._client = client
        self._storage = storage
        self._clock = clock

    def refresh(self, payment_id: int) -> PaymentMixin:
        """Return the payment, asked about where it is pending and nobody has asked just now.

        Raises a `GatewayError` where Spayon gives no usable answer.
        """
        payment = self._storage.get(payment_id)
        now = self._clock()

        if payment.status != "pending":
            return payment

        if payment.session_id is None:
            # Nothing to ask about; `reconcile` expires it in its time.
            return payment

        session_id, ends_at = payment.session_id, payment.expires_at

        if self._storage.claim_check(payment_id, now=now):
            report = self._ask(session_id, ends_at or now, now)

            if report is not None:
                self._storage.record(report, source="status_check", now=now)

        return self._storage.get(payment_id)

    def run(
        self,
        *,
        limit: int | None = None,
        jobs: int = JOBS,
        progress: Callable[[], object] | None = None,
    ) -> Summary:
        """Ask about every payment that is due, at most *limit*, with *jobs* calls at once.

        *progress* is called after each payment. Then hand over what the dispatcher has yet to get.
        """
        summary = Summary()
        now = self._clock()

        with ThreadPoolExecutor(max_workers=jobs) as pool:
            waiting: dict[Future[Report | None], Due] = {}

            for due in self._due(now, limit, jobs):
                if due.session_id is None:
                    self._expire(due, now, summary)

                else:
                    waiting[pool.submit(self._ask, due.session_id, due.ends_at, now)] = due

                if len(waiting) >= jobs * 2:
                    self._collect(waiting, now, summary)

                if summary.refused:
                    break

                if progress is not None:
                    progress()

            while waiting:
                self._collect(waiting, now, summary)

        self._hand_over(now, summary)
        return summary

    def _due(self, now: datetime, limit: int | None, jobs: int) -> Iterator[Due]:
        left = limit

        while left is None or left > 0:
            batch = min(jobs * 4, left) if left is not None else jobs * 4
            leased = self._storage.lease_due(now=now, limit=batch)
            yield from leased

            if len(leased) < batch:
                return

            left = None if left is None else left - len(leased)

    def _ask(self, session_id: str, ends_at: datetime, now: datetime) -> Report | None:
        """Return what Spayon says, or None where it knows no such session, which may yet live."""
        try:
            return self._client.get_session(session_id)

        except SessionNotFoundError:
            return (
                Report(session_id=session_id, status="expired", body=b"")
                if now >= ends_at
                else None
            )

    def _collect(
        self, waiting: dict[Future[Report | None], Due], now: datetime, summary: Summary
    ) -> None:
        done, _ = wait(waiting, return_when=FIRST_COMPLETED)

        for future in done:
            due = waiting.pop(future)
            summary.asked += 1

            try:
                report = future.result()

                if report is not None:
                    outcome = self._storage.record(report, source="status_check", now=now)
                    summary.changed.update([outcome.status] if outcome.status else [])

            except AuthenticationError as error:
                logger.error("reconcile stops: %s", error)  # noqa: TRY400  the cause is no bug
                summary.refused = True

            except GatewayError as error:
                summary.unanswered += 1
                self._postpone(due, error, now)

            except HandlerError:
                summary.failed += 1
                logger.exception("the handler failed", extra={"payment_id": due.payment_id})

    def _postpone(self, due: Due, error: GatewayError, now: datetime) -> None:
        logger.warning("no status: %s", error, extra={"payment_id": due.payment_id})

        if isinstance(error, GatewayUnavailableError) and error.retry_after:
            until = now + timedelta(seconds=min(error.retry_after, 24 * 3600))
            self._storage.postpone(due.payment_id, until=until)

    def _expire(self, due: Due, now: datetime, summary: Summary) -> None:
        try:
            if now >= due.ends_at and self._storage.expire_unanswered(due.payment_id, now=now):
                summary.changed.update(["expired"])

        except HandlerError:
            summary.failed += 1
            logger.exception("the handler failed", extra={"payment_id": due.payment_id})

    def _hand_over(self, now: datetime, summary: Summary) -> None:
        while leased := self._storage.lease_undispatched(now=now, limit=100):
            for callback_id in leased:
                summary.handed_over += self._storage.hand_over(callback_id)
