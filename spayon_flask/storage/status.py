"""StatusWriter: the only writer of a payment's status; it runs the shop's handlers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from datetime import timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import Connection
from sqlalchemy import and_
from sqlalchemy import bindparam
from sqlalchemy import or_
from sqlalchemy import select
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from ..handlers import Handlers
from ..handlers import check_result
from ..reports import Report
from ..transitions import BARRING
from ..transitions import ENDED
from ..transitions import Transition
from ..transitions import held_order
from .handler_guard import handlers_only
from .transactions import LostRaceError
from .transactions import Part
from .transactions import Source


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
    # How long its handlers have failed is told by these.
    "created_at",
    "attempts",
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

        if report is not None:
            values |= _taken_over(found, status, report, now)

        # A payment session that nobody has paid makes way for one that was paid.
        if status == "paid" and found.held_order_id is None:
            connection.execute(self._displace, {"the_order_id": found.order_id})

        self._write(connection, found, values)

        if run_handlers:
            self._run_handlers(connection, found, values)

    def holder(self, connection: Connection, order_id: str) -> Any:
        """Return id and status of the payment that holds an order, or None."""
        return connection.execute(self._find_holder, {"the_order_id": order_id}).first()

    @cached_property
    def _holds_order(self) -> Any:
        """The condition that a payment holds an order."""
        return and_(self.is_mine, self.payment.c.held_order_id == bindparam("the_order_id"))

    @cached_property
    def _find_holder(self) -> Any:
        p = self.payment.c
        return select(p.id, p.status, p.session_id).where(self._holds_order)

    @cached_property
    def _displace(self) -> Any:
        """Take the order from the payment that holds it, unless that one has been decided."""
        waits = self.payment.c.status == "pending"
        return update(self.payment).where(self._holds_order, waits).values(held_order_id=None)

    @cached_property
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
        handlers = self._handlers.by_status[values["status"]]

        if not handlers:
            return

        if values["status"] in ENDED and self._has_nothing_to_tell(connection, found, values):
            return

        payment = self.load(values)

        with handlers_only(self.session, connection):
            for handler in handlers:
                check_result(handler, handler(payment))

    def _has_nothing_to_tell(
        self, connection: Connection, found: Any, values: Mapping[str, Any]
    ) -> bool:
        """Return True if the natural handler of `failed` or `expired` would undo a paid order."""
        # Nobody was ever sent to Spayon's page.
        if values["status"] == "expired" and values["session_id"] is None:
            return True

        # A payment that holds its order is the only one that may be paid.
        if found.held_order_id is not None:
            return False

        rows = connection.execute(self._lock_order, {"the_order_id": found.order_id})
        return any(row.status == "paid" for row in rows)

    @cached_property
    def _lock_order(self) -> Any:
        """All payments of an order. One that is becoming paid is waited for."""
        p = self.payment.c
        return (
            select(p.id, p.status)
            .where(self.is_mine, p.order_id == bindparam("the_order_id"))
            .with_for_update()
        )


def _taken_over(found: Any, status: str, report: Report, now: datetime) -> dict[str, Any]:
    """Return what a payment with its new *status* takes over from *report*."""
    taken: dict[str, Any] = {
        "session_id": report.session_id,
        "decline_reasons": list(report.decline_reasons) or None,
    }

    if status in BARRING and report.status == "paid":
        taken |= {
            "paid_at": report.updated_at or now,
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
