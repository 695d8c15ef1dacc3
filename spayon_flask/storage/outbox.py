"""Outbox: after the commit, the dispatcher is given the callback row, and observers hear of it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING
from typing import Any
from typing import NamedTuple

from sqlalchemy import Connection
from sqlalchemy import Integer
from sqlalchemy import bindparam
from sqlalchemy import select
from sqlalchemy import update
from sqlalchemy.exc import SQLAlchemyError

from .. import signals
from ..handlers import Handlers
from ..handlers import check_result
from ..reports import Report
from ..transitions import APPLIED
from ..transitions import REVIEW
from .queries import Queries
from .transactions import Part
from .transactions import Source
from .transactions import transaction
from .writes import end_reading
from .writes import holds_changes


if TYPE_CHECKING:
    from .recording import Outcome


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

    def announce(self, report: Report, source: str, outcome: Outcome, now: datetime) -> None:
        """Tell of a report that was recorded at *now*, and of what it changed."""
        changed = outcome.status is not None and outcome.payment_id is not None

        if changed and outcome.callback_id is not None:
            self.hand_over_or_log(Leased(outcome.callback_id, now + LEASE))

        signals.announce(
            signals.report_received,
            self.account,
            source=source,
            status=report.status,
            verdict=outcome.verdict,
            repeated=outcome.repeated,
        )

        if changed:
            self.announce_status(str(outcome.status), int(outcome.payment_id or 0))

    def announce_status(self, status: str, payment_id: int) -> None:
        """Tell the observers that a payment has a new *status*."""
        signal = _SIGNALS[status]

        if signal.receivers:
            signals.announce(signal, self.account, payment=self._queries.get(payment_id))

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
            check_result(dispatcher, dispatcher(leased.callback_id))

        except Exception:
            logger.exception(
                "dispatcher failed; reconcile will try again",
                extra={"account": self.account, "callback_id": leased.callback_id},
            )
            return False

        finally:
            # What the dispatcher left in the shop's session is not ours to commit.
            if holds_changes(self.session):
                self.session.rollback()

            elif self.session.in_transaction():
                end_reading(self.session)

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

        leased = Leased(callback_id, now + LEASE)
        key = {"the_id": callback_id, "dispatch_at": leased.until}
        return leased if connection.execute(self._write_lease_again, key).rowcount == 1 else None

    @cached_property
    def _write_lease_again(self) -> Any:
        c = self.callback.c
        return (
            update(self.callback)
            .where(
                c.id == bindparam("the_id"),
                c.account == bindparam("the_account", self.account),
                c.verdict.in_(CHANGING),
            )
            .values(dispatch_at=bindparam("dispatch_at"))
        )

    @transaction
    def lease(self, connection: Connection, *, now: datetime, limit: int) -> Sequence[Leased]:
        """Take at most *limit* rows whose hand-over failed or never finished."""
        if self._handlers.dispatcher is None:
            return []

        rows = connection.execute(self._find_due, {"the_now": now, "the_limit": limit}).all()
        leased = []

        for row in rows:
            key = {"the_id": row.id, "the_lease": row.dispatch_at, "dispatch_at": now + LEASE}

            # Unless somebody else has taken it since.
            if connection.execute(self._write_lease, key).rowcount == 1:
                leased.append(Leased(row.id, now + LEASE))

        return leased

    @cached_property
    def _find_due(self) -> Any:
        c = self.callback.c
        limit: Any = bindparam("the_limit", type_=Integer())
        return (
            select(c.id, c.dispatch_at)
            .where(
                self.waits_for_dispatcher(bindparam("the_now")),
                c.account == bindparam("the_account", self.account),
            )
            .order_by(c.dispatch_at)
            .limit(limit)
        )

    @cached_property
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
