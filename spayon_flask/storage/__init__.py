"""Storage: where payments are kept; the only writer of the two tables."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from datetime import timedelta
from typing import Any

from sqlalchemy import inspect
from sqlalchemy import select
from sqlalchemy.orm import scoped_session

from ..handlers import Handlers
from ..models import CallbackMixin
from ..models import PaymentMixin
from ..models import table_of
from ..orders import Order
from ..reports import Report
from .announcements import Announcements
from .arrivals import Arrivals
from .changes import Changes
from .checkouts import Checkouts
from .checkouts import Claim
from .checkouts import EarlyReport
from .guard import watch_handlers
from .hand_over import HandOver
from .on_demand import OnDemand
from .records import Outcome
from .records import Records
from .report_statements import ReportStatements
from .schedule import Due
from .schedule import Schedule
from .sessions import Sessions
from .statements import Statements
from .transactions import watch
from .work_statements import WorkStatements


__all__ = ["Claim", "Due", "EarlyReport", "Outcome", "Storage"]

logger = logging.getLogger(__name__)


class Storage(OnDemand):
    """The payments of one *account*, through the shop's own *session*.

    Every method that writes commits, and raises `UncommittedChangesError` where the shop's session
    holds changes. *interval* lies at least between two status calls for one payment.
    """

    def __init__(
        self,
        account: str,
        session: scoped_session[Any],
        payment_class: type[PaymentMixin],
        callback_class: type[CallbackMixin],
        handlers: Handlers,
        interval: timedelta,
    ) -> None:
        tables = table_of(payment_class), table_of(callback_class)
        statements, work = Statements(*tables), WorkStatements(*tables)
        changes = Changes(account, payment_class, statements, handlers)
        super().__init__(account, session, payment_class, callback_class, changes, handlers)
        arrivals = Arrivals(account, ReportStatements(*tables))
        sessions = Sessions(session)
        self._records = Records(
            account, sessions, payment_class, statements, handlers, changes, arrivals
        )
        self._checkouts = Checkouts(account, payment_class, statements)
        self._schedule = Schedule(account, payment_class, work, interval)
        self._hand_over = HandOver(account, callback_class, work, handlers)
        self._announcements = Announcements(account, sessions, self._hand_over, self.get)
        watch(session)
        watch_handlers(session)

    @property
    def writes_side_by_side(self) -> bool:
        """Whether several transactions may write at the same time, which SQLite cannot."""
        bind = self._session().get_bind(mapper=inspect(self._payment_class))
        return str(bind.dialect.name) != "sqlite"

    def record(
        self, report: Report, *, source: str, now: datetime, secret_index: int | None = None
    ) -> Outcome:
        """Apply *report*: the one way in, for callbacks and status checks alike.

        Commits the callback row, the change of status and what the handlers write, or nothing;
        then calls the dispatcher and sends signals. Raises `HandlerError` where a handler failed.
        """
        outcome = self._records.record(report, source=source, now=now, secret_index=secret_index)
        logger.info(
            "report recorded",
            extra={
                "account": self._account,
                "session_id": report.session_id,
                "status": report.status,
                "source": source,
                "verdict": outcome.verdict,
                "repeated": outcome.repeated,
            },
        )
        self._announcements.report(report, source, outcome)
        return outcome

    def expire_unanswered(self, payment_id: int, *, now: datetime) -> bool:
        """Expire a payment whose creation Spayon never answered; say whether it changed."""
        session = self._session()
        changed = self._endings.expire_unanswered(session, payment_id, now=now)

        if changed:
            self._announcements.change("expired", payment_id)

        return changed

    def settle_review(
        self, payment_id: int, *, accept: bool, by: str, because: str, now: datetime
    ) -> PaymentMixin:
        """Move a payment out of review, to `paid` or `failed`; the handlers of that run once.

        Raises `ReviewError` where that cannot be done, and `HandlerError`.
        """
        again = self._reviews.settle(
            self._session(), payment_id, accept=accept, by=by, because=because, now=now
        )

        self._announcements.review(payment_id, again, accepted=accept)
        return self.get(payment_id)

    def claim(self, order: Order, *, now: datetime, give_up: int | None = None) -> Claim:
        """Return what stands for *order*; where nothing does, a new pending payment."""
        return self._checkouts.claim(self._session(), order, now=now, give_up=give_up)

    def settle(
        self, payment_id: int, session_id: str, session_url: str, *, now: datetime
    ) -> Sequence[EarlyReport] | None:
        """Write Spayon's answer; None where this payment cannot have that payment session."""
        return self._checkouts.settle(self._session(), payment_id, session_id, session_url, now=now)

    def release(self, payment_id: int) -> None:
        """Let go of the order of a payment whose creation failed."""
        self._checkouts.release(self._session(), payment_id)

    def claim_check(self, payment_id: int, *, now: datetime) -> bool:
        """Say whether the caller, and nobody else, may ask about a pending payment now."""
        return self._schedule.claim_check(self._session(), payment_id, now=now)

    def lease_due(
        self, *, now: datetime, limit: int, due_by: datetime | None = None
    ) -> Sequence[Due]:
        """Take payments that are due to be asked about, and were so at *due_by* already."""
        return self._schedule.lease_due(self._session(), now=now, limit=limit, due_by=due_by)

    def count_due(self, *, now: datetime) -> int:
        """Return how many payments are due to be asked about."""
        return self._schedule.count_due(self._session(), now=now)

    def postpone(self, payment_id: int, *, until: datetime) -> None:
        """Ask about a payment no earlier than *until*."""
        self._schedule.postpone(self._session(), payment_id, until=until)

    def close(self, payment_id: int) -> None:
        """Ask no more about a payment that has failed or expired."""
        self._schedule.close(self._session(), payment_id)

    def lease_undispatched(self, *, now: datetime, limit: int) -> list[int]:
        """Take callback rows that the dispatcher has yet to be given."""
        return self._hand_over.lease(self._session(), now=now, limit=limit)

    def hand_over(self, callback_id: int) -> bool:
        """Give the dispatcher one callback row; say whether it took it."""
        return self._hand_over.hand_over(self._session(), callback_id)

    def get(self, payment_id: int) -> PaymentMixin:
        """Return a payment as it is in the database now."""
        payment = self._session.get(self._payment_class, payment_id, populate_existing=True)
        assert payment is not None  # noqa: S101  payments are only ever pruned when final
        return payment

    def find(
        self, *, session_id: str | None = None, reference: str | None = None
    ) -> PaymentMixin | None:
        """Return the payment with this session id or reference, or None."""
        p = self._payment_class
        key = p.session_id == session_id if session_id is not None else p.reference == reference
        return self._session.scalars(select(p).where(key, p.account == self._account)).one_or_none()

    def standing(self, order_id: str) -> PaymentMixin | None:
        """Return the payment that holds an order or is under review, or None."""
        p = self._payment_class
        rows = self._session.scalars(
            select(p).where(
                p.order_id == order_id,
                p.account == self._account,
                (p.held_order_id.is_not(None)) | (p.status.in_(("paid", "review"))),
            )
        ).all()
        order = ("paid", "review", "pending")
        return min(rows, key=lambda row: order.index(row.status), default=None)
