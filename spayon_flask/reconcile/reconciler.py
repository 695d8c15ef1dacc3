"""Reconciler: ask Spayon about the payments of one account, and record the answers."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from ..client import Client
from ..domain.reports import Body, Report
from ..domain.transitions import BARRING, SESSION_LIFETIME
from ..errors import SessionNotFoundError
from ..storage import Due, Storage
from .summary import Summary

logger = logging.getLogger(__name__)

#: Status calls under way at once, if the caller names no other number.
JOBS = 4

#: Callback rows that are leased at once for the dispatcher.
_BATCH = 100


class Answer(NamedTuple):
    """Whether Spayon was *asked*, and the *status* that it named.

    It is not asked if somebody has asked just now, or if there is no payment session. The status is
    None if Spayon does not know the payment session.
    """

    asked: bool
    status: str | None = None


class Reconciler:
    """Ask about payments of *storage* through *client*, with the times of *clock*."""

    def __init__(self, client: Client, storage: Storage, clock: Callable[[], datetime]) -> None:
        #: The account, as signals and logs name it.
        self.account = storage.account
        self._storage = storage
        self._client = client
        self._clock = clock

    def refresh(
        self, payment: Any, *, settled: bool = False, within: float | None = None
    ) -> Answer:
        """Ask about *payment*, unless somebody has asked just now, and record the answer.

        Spayon is not asked about a payment that is paid or under review, unless *settled* is true,
        nor about one of another gateway. The question takes *within* seconds at most, by default
        what TIMEOUT says. Raises a `GatewayError` if Spayon gives no usable answer, and what
        recording raises.
        """
        payment_id, session_id, now = payment.id, payment.session_id, self._clock()
        ends_at = payment.expires_at or payment.created_at + SESSION_LIFETIME

        if session_id is None or (payment.status in BARRING and not settled):
            return Answer(asked=False)

        if not self._storage.schedule.claim_check(payment_id, now=now, settled=settled):
            return Answer(asked=False)

        report = self.ask(session_id, ends_at, within)

        if report is None:
            return Answer(asked=True)

        self._storage.recorder.record(report, source="status_check", now=now)
        # What we conclude from a 404 has no body.
        return Answer(asked=True, status=report.status if report.body else None)

    def ask(self, session_id: str, ends_at: datetime, within: float | None = None) -> Report | None:
        """Return what Spayon says, or None if it knows no such session, which may yet live."""
        try:
            return self._client.get_session(session_id, within=within)

        except SessionNotFoundError:
            over = self._clock() >= ends_at
            return Report(session_id=session_id, status="expired", body=Body(b"")) if over else None

    # What a run does with the payments that are due.

    def lease(self, limit: int, *, due_by: datetime) -> Sequence[Due]:
        """Take at most *limit* payments that were due at *due_by*, for the caller to ask about."""
        schedule = self._storage.schedule
        return schedule.lease_due(now=self._clock(), due_by=due_by, limit=limit)

    def record(self, due: Due, report: Report | None) -> str | None:
        """Record what Spayon says of a payment, and return its new status, if it changed."""
        status = None

        if report is not None:
            recorder = self._storage.recorder
            status = recorder.record(report, source="status_check", now=self._clock()).status

        if due.ended and status is None:
            self._storage.schedule.close(due.payment_id)

        return status

    def expire(self, due: Due) -> bool:
        """End a payment that has no payment session, once it will have none; return True if so."""
        now, schedule = self._clock(), self._storage.schedule
        return now >= due.ends_at and schedule.expire_unanswered(due.payment_id, now=now)

    def postpone(self, due: Due, *, until: datetime) -> None:
        """Have a payment asked about no earlier than *until*."""
        try:
            self._storage.schedule.postpone(due.payment_id, until=until)

        except Exception:
            logger.exception(
                "not put back; it is due again by itself", extra={"payment_id": due.payment_id}
            )

    def leave_the_rest(self, until: datetime | None, *, now: datetime) -> int:
        """Leave what is due to another run, and return how many payments that is.

        *until* is the moment up to which all hosts are to leave Spayon alone, if there is one.
        """
        schedule = self._storage.schedule
        return schedule.postpone_due(now=now, until=until) if until else schedule.count_due(now=now)

    def hand_over(self, summary: Summary, stop: threading.Event) -> None:
        """Give the dispatcher each callback row that waits for it, and count those it took."""
        seen: set[int] = set()

        while not stop.is_set():
            leased = self._storage.outbox.lease(now=self._clock(), limit=_BATCH)

            # Those that the dispatcher does not take come again, in the next run.
            if seen.intersection(each.callback_id for each in leased) or not leased:
                return

            for each in leased:
                try:
                    summary.handed_over += self._storage.outbox.hand_over(each)

                except Exception:
                    summary.failed += 1
                    logger.exception(
                        "not handed over; the next run tries again",
                        extra={"callback_id": each.callback_id},
                    )

            seen.update(each.callback_id for each in leased)
