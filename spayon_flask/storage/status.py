"""StatusWriter: the only writer of a payment's status; it runs the shop's handlers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, or_, select, update
from sqlalchemy.exc import IntegrityError

from ..domain.handlers import Handlers
from ..domain.reports import Report
from ..domain.transitions import BARRING, ENDED, Transition, held_order
from .guard import guarded
from .transactions import LostRaceError, Part, Source, statement

# Relies on: redelivery-count, redelivery-spacing
#: So long after a payment has failed or expired, Spayon is asked about it once more. A payer may
#: pay until the 15 minutes of the payment session are over, and the three deliveries of the
#: callback take another 10 (Spayon's documentation, create session and callbacks).
LAST_LOOK = timedelta(minutes=30)

#: The columns that a status is decided upon and written with.
NEEDED = (
    "id",
    "account",
    "order_id",
    "reference",
    "session_id",
    "status",
    "review",
    "product_id",
    "product_name",
    "price",
    "currency",
    "held_order_id",
    "superseded",
    "paid_at",
    "reported_price",
    "reported_currency",
    # Not for the decision. A handler may look at these, and a session that sends reads to a replica
    # would look for them there.
    "order_key",
    "session_url",
    "language",
    "decline_reasons",
    "expires_at",
    # When it began, and what is known of its handlers.
    "created_at",
    "due_at",
    "handler_failures",
    "handler_failed_at",
    "handler_error",
)

_WRITTEN = (
    "session_id",
    "status",
    "review",
    "price",
    "currency",
    "decline_reasons",
    "held_order_id",
    "updated_at",
    "due_at",
    "paid_at",
    "reported_price",
    "reported_currency",
    "handler_failures",
    "handler_failed_at",
    "handler_error",
)


class StatusWriter(Part):
    """Write statuses inside a transaction that the caller commits, and run *handlers*."""

    def __init__(self, source: Source, handlers: Handlers) -> None:
        super().__init__(source)
        self._handlers = handlers

    def write(
        self,
        connection: Connection,
        found: Any,
        transition: Transition,
        *,
        now: datetime,
        report: Report | None = None,
        run_handlers: bool = True,
    ) -> None:
        """Give the payment *found*, a row with the columns `NEEDED`, the status of *transition*.

        *report* is what Spayon said, if that is the cause. Raises `LostRaceError` if the payment is
        not as it was found any more, `HandlerError`, or `NeedsReview`.
        """
        status = str(transition.status)
        values = {name: getattr(found, name) for name in NEEDED} | {
            "status": status,
            "review": transition.review,
            "decline_reasons": None,
            "held_order_id": held_order(found, status),
            "updated_at": now,
            "due_at": None,
        }

        if run_handlers and status != "review":
            values |= {"handler_failures": 0, "handler_failed_at": None, "handler_error": None}

        if report is not None:
            values |= _taken_over(found, status, report, now)

        # A payment session that nobody has paid makes way for one that was paid.
        if status == "paid" and found.held_order_id is None:
            waits = self.payment.c.status == "pending"
            displace = update(self.payment).where(*self._holds_order(found.order_id), waits)
            connection.execute(displace.values(held_order_id=None))

        self._write(connection, found, values)

        if run_handlers:
            self._run_handlers(connection, found, values)

    def holder(self, connection: Connection, order_id: str) -> Any:
        """Return id and status of the payment that holds an order, or None."""
        p = self.payment.c
        query = select(p.id, p.status, p.session_id).where(*self._holds_order(order_id))
        return connection.execute(query).first()

    def _holds_order(self, order_id: str) -> tuple[ColumnElement[bool], ...]:
        """The conditions that a payment holds an order."""
        p = self.payment.c
        return (p.account == self.account, p.held_order_id == order_id)

    @statement
    def _write_status(self) -> Any:
        """The one statement that writes a status. It matches only what was decided upon."""
        p = self.payment.c
        held = bindparam("the_held_order_id", type_=p.held_order_id.type)
        return (
            update(self.payment)
            .where(
                p.id == bindparam("the_id"),
                p.status == bindparam("the_status"),
                p.superseded == bindparam("the_superseded"),
                # Whoever loses the order to a payment that is paid meanwhile decides anew.
                p.held_order_id.is_not_distinct_from(held),
                or_(p.session_id.is_(None), p.session_id == bindparam("session_id")),
            )
            .values({name: bindparam(name) for name in _WRITTEN})
        )

    def _write(self, connection: Connection, found: Any, values: Mapping[str, Any]) -> None:
        written = {name: values[name] for name in _WRITTEN} | {
            "the_id": found.id,
            "the_status": found.status,
            "the_superseded": found.superseded,
            "the_held_order_id": found.held_order_id,
        }

        try:
            result = connection.execute(self._write_status, written)

        except IntegrityError as error:
            raise LostRaceError from error

        if result.rowcount != 1:
            raise LostRaceError

    def _run_handlers(self, connection: Connection, found: Any, values: Mapping[str, Any]) -> None:
        status = values["status"]
        handlers = self._handlers.of_status(status)

        if not handlers:
            return

        # Nobody was ever sent to Spayon's page.
        if status == "expired" and values["session_id"] is None:
            return

        # The natural handler of an end would undo a paid order. While a payment holds its order, no
        # other payment of the order is paid.
        if status in ENDED and found.held_order_id is None and self._is_paid(connection, found):
            return

        payment = self.load(values)

        with guarded(self.session, connection, may_hold_back=status == "paid"):
            for handler in handlers:
                self._handlers.run(handler, payment)

    def _is_paid(self, connection: Connection, found: Any) -> bool:
        """Return True if a payment of the same order is paid."""
        p = self.payment.c
        attempts = select(p.id, p.status).where(
            p.account == self.account, p.order_id == found.order_id
        )
        # One that is becoming paid is waited for.
        rows = connection.execute(attempts.with_for_update())
        return any(row.status == "paid" for row in rows)


def _taken_over(found: Any, status: str, report: Report, now: datetime) -> dict[str, Any]:
    """Return what a payment with its new *status* takes over from *report*."""
    taken: dict[str, Any] = {
        "session_id": report.session_id,
        "decline_reasons": list(report.decline_reasons) or None,
    }

    if status in BARRING:
        # A clock of Spayon's that is wrong would put the payment into the books of another year.
        told = report.updated_at
        taken |= {
            "paid_at": told if told is not None and found.created_at <= told <= now else now,
            "reported_price": report.price,
            "reported_currency": report.currency,
        }

        # Spayon sets the price of a product of its admin panel.
        if found.product_id is not None:
            taken |= {"price": report.price, "currency": report.currency}

    elif status in ENDED:
        # A `paid` may still follow, and its callback may be lost.
        taken["due_at"] = now + LAST_LOOK

    return taken
