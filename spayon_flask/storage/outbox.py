"""Outbox: after the commit, the dispatcher is given the callback row, and observers hear of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from blinker import NamedSignal
from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.exc import SQLAlchemyError

from .. import signals
from ..domain.handlers import Handlers
from ..domain.reports import Report
from ..domain.transitions import APPLIED, REVIEW
from .guard import end_reading, holds_changes
from .queries import Queries
from .transactions import Part, Source, statement, transaction

logger = logging.getLogger(__name__)

#: How long the dispatcher may take before `reconcile` gives it the row again.
LEASE = timedelta(minutes=1)

#: Verdicts of callback rows that changed a payment's status: the dispatcher is given these.
CHANGING = (APPLIED, REVIEW)

_SIGNALS = {
    "paid": signals.payment_paid,
    "failed": signals.payment_failed,
    "expired": signals.payment_expired,
    "review": signals.payment_review,
}


class Outcome(NamedTuple):
    """What became of a report: its *verdict*, and the payment's new *status*, if it changed.

    *repeated* is True if the report was known already. *callback_id* and *payment_id* name the
    rows.
    """

    verdict: str
    repeated: bool = False
    status: str | None = None
    callback_id: int | None = None
    payment_id: int | None = None


class Leased(NamedTuple):
    """A callback row that the dispatcher is yet to be given, ours to hand over *until* a moment."""

    callback_id: int
    until: datetime


class Outbox(Part):
    """Give the dispatcher each row at least once, and tell the observers; nothing can be undone."""

    def __init__(self, source: Source, handlers: Handlers, queries: Queries) -> None:
        super().__init__(source)
        self._handlers = handlers
        self._queries = queries

    def dispatch_at(self, now: datetime) -> datetime | None:
        """Return when a row that is written *now* is to be handed over again, unless it was."""
        return now + LEASE if self._handlers.dispatcher is not None else None

    def after_commit(self, report: Report, source: str, outcome: Outcome, now: datetime) -> None:
        """Hand over what the report that was recorded at *now* has changed, and tell of it."""
        told = {
            "source": source,
            "status": report.status,
            "verdict": outcome.verdict,
            "repeated": outcome.repeated,
        }
        ids = {"account": self.account, "session_id": report.session_id}
        logger.info("report recorded", extra=ids | told)

        if outcome.status is not None and outcome.callback_id is not None:
            self.hand_over_or_log(Leased(outcome.callback_id, now + LEASE))

        self.tell(signals.report_received, **told)

        if outcome.status is not None and outcome.payment_id is not None:
            self.tell_status(outcome.status, outcome.payment_id)

    def tell_status(self, status: str, payment_id: int) -> None:
        """Tell the observers that a payment has a new *status*."""
        signal = _SIGNALS[status]

        if signal.receivers:
            self.tell(signal, payment=self._queries.get(payment_id))

    def tell(self, signal: NamedSignal, **values: Any) -> None:
        """Send *signal* with *values* to the observers. Nothing that they do changes anything."""
        signals.announce(signal, self.account, self.cleaned_up, **values)

    @contextmanager
    def cleaned_up(self) -> Iterator[None]:
        """Leave `db.session` after the block as it was before, without what the block left in it.

        What the shop has in it already stays there.
        """
        before = self.session_in_use()
        is_ours = before is None or not holds_changes(before)

        try:
            yield

        finally:
            session = self.session_in_use() if is_ours else None

            if session is not None and holds_changes(session):
                session.rollback()

            elif session is not None and session.in_transaction():
                end_reading(session)

    def hand_over_or_log(self, leased: Leased) -> None:
        """Hand a row over. If that cannot be noted, `reconcile` does it again."""
        try:
            self.hand_over(leased)

        except SQLAlchemyError:
            logger.exception(
                "hand-over was not noted; reconcile will do it again",
                extra={"account": self.account, "callback_id": leased.callback_id},
            )

    def hand_over(self, leased: Leased) -> bool:
        """Call the dispatcher. Return True if it took the row; if it raises, that is logged."""
        dispatcher = self._handlers.dispatcher

        if dispatcher is None:
            return False

        try:
            with self.cleaned_up():
                self._handlers.run(dispatcher, leased.callback_id)

        except Exception:
            logger.exception(
                "dispatcher failed; reconcile will try again",
                extra={"account": self.account, "callback_id": leased.callback_id},
            )
            return False

        self._finish(leased)
        return True

    def hand_over_again(self, callback_id: int, *, now: datetime) -> bool:
        """Give the dispatcher a callback row that it was given before. Return True if it took it.

        A row that changed no payment's status is not handed over, nor one of another account. If
        the dispatcher raises, `reconcile` tries again.
        """
        leased = self._lease_one(callback_id, now)
        return leased is not None and self.hand_over(leased)

    @transaction
    def _lease_one(self, connection: Connection, callback_id: int, now: datetime) -> Leased | None:
        if self._handlers.dispatcher is None:
            return None

        c = self.callback.c
        leased = Leased(callback_id, now + LEASE)
        mine = (c.id == callback_id, c.account == self.account, c.verdict.in_(CHANGING))
        again = update(self.callback).where(*mine).values(dispatch_at=leased.until)
        return leased if connection.execute(again).rowcount == 1 else None

    @transaction
    def lease(
        self, connection: Connection, *, now: datetime, due_by: datetime, limit: int
    ) -> Sequence[Leased]:
        """Take at most *limit* rows whose hand-over failed or never finished, due at *due_by*."""
        if self._handlers.dispatcher is None:
            return []

        c = self.callback.c
        query = (
            select(c.id, c.dispatch_at)
            .where(self.waits_for_dispatcher(due_by), c.account == self.account)
            .order_by(c.dispatch_at)
            .limit(limit)
        )
        leased = []

        for row in connection.execute(query).all():
            key = {"the_id": row.id, "the_lease": row.dispatch_at, "dispatch_at": now + LEASE}

            # Unless somebody else has taken it since.
            if connection.execute(self._write_lease, key).rowcount == 1:
                leased.append(Leased(row.id, now + LEASE))

        return leased

    @statement
    def _write_lease(self) -> Any:
        c = self.callback.c
        return (
            update(self.callback)
            .where(c.id == bindparam("the_id"), c.dispatch_at == bindparam("the_lease"))
            .values(dispatch_at=bindparam("dispatch_at"))
        )

    @transaction
    def _finish(self, connection: Connection, leased: Leased) -> None:
        # Only this lease: a review that was settled meanwhile asks for another hand-over.
        key = {"the_id": leased.callback_id, "the_lease": leased.until, "dispatch_at": None}
        connection.execute(self._write_lease, key)
