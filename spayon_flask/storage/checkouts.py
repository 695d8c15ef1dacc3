"""Checkouts: which payment holds an order while it is being paid."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from collections.abc import Sequence
from datetime import datetime
from datetime import timedelta
from functools import cached_property
from typing import Any
from typing import NamedTuple

from sqlalchemy import Connection
from sqlalchemy import bindparam
from sqlalchemy import insert
from sqlalchemy import select
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from ..handlers import Handlers
from ..handlers import check_result
from ..orders import Order
from ..transitions import BARRING
from ..transitions import can_be_paid
from .handler_guard import handlers_only
from .status import NEEDED
from .transactions import LostRaceError
from .transactions import Part
from .transactions import Source
from .transactions import transaction


# Relies on: session-lifetime
#: A payment session lives this long (Spayon's documentation, create session).
SESSION_LIFETIME = timedelta(minutes=15)

#: A creation that never finished blocks its order for this long.
CREATION_LIMIT = timedelta(seconds=30)


class Claim(NamedTuple):
    """What stands for an order: *state* and the payment's id.

    `created`: a new row; the caller is to ask Spayon for its payment session. `live`: the payment
    session can be paid. `creating`: another request is asking Spayon. `lapsed`: the time of the
    payment session is over by our clock, or it was made for another host. `changed`: the payment
    asks for something else, and was made after the order was loaded. `paid` and `review`: nothing
    more is to be paid.

    *again* is True if there are earlier payments of the order.
    """

    state: str
    payment_id: int
    reference: str = ""
    again: bool = False


class Checkouts(Part):
    """Give each order at most one payment that can be paid, and tell *handlers* who pays."""

    def __init__(self, source: Source, handlers: Handlers) -> None:
        super().__init__(source)
        self._handlers = handlers

    @transaction
    def claim(
        self,
        connection: Connection,
        order: Order,
        *,
        now: datetime,
        loaded_at: datetime | None = None,
        known: int = 0,
        host: str | None = None,
        give_up: int | None = None,
        details: Mapping[str, str] | None = None,
    ) -> Claim:
        """Return what stands for *order*. If nothing does, commit a new pending payment.

        *order* was loaded at *loaded_at*, or after the payment *known* was there. A payment session
        is shared by those who reach the shop by the same *host*. *give_up* names a lapsed payment
        that the order does not wait for any longer. *details* is what the payer
        typed: it is handed to the shop with the new payment, and not kept. Raises `HandlerError` if
        the shop's function fails.
        """
        rows = connection.execute(self._find_attempts, {"the_order_id": order.order_id})
        # Whoever locks several of them locks them in this order.
        attempts = sorted(rows, key=lambda row: row.id)

        for status in BARRING:
            for row in attempts:
                if row.status == status:
                    return Claim(status, row.id)

        for row in attempts:
            is_newer = loaded_at is not None and row.created_at > loaded_at and row.id > known

            # Another request may have loaded the order later than this one.
            if is_newer and not row.superseded and not order.is_asked_by(row):
                return Claim("changed", row.id)

        self._supersede(connection, order, attempts)

        for row in attempts:
            if row.held_order_id is None:
                continue

            state = _state(row, order, host, now)

            if state in ("live", "creating") or (state == "lapsed" and row.id != give_up):
                return Claim(state, row.id)

            # Not held any more since we looked: the payment is paid, perhaps.
            if not self.let_go(connection, row.id):
                raise LostRaceError

        # Unguessable: it opens the cancel page.
        reference = secrets.token_urlsafe(24)
        payment_id = self._insert(connection, order, reference, host, now)
        self._tell(connection, payment_id, details)
        return Claim("created", payment_id, reference, again=bool(attempts))

    def _tell(
        self, connection: Connection, payment_id: int, details: Mapping[str, str] | None
    ) -> None:
        """Hand *details* to the shop, in the transaction that writes the payment."""
        if not details or not self._handlers.details:
            return

        row = connection.execute(self._find_one, {"the_id": payment_id}).mappings().one()
        payment = self.load(row)

        with handlers_only(self.session, connection):
            for handler in self._handlers.details:
                check_result(handler, handler(payment, dict(details)))

    @cached_property
    def _find_one(self) -> Any:
        return select(self.payment).where(self.payment.c.id == bindparam("the_id"))

    @cached_property
    def _find_attempts(self) -> Any:
        """All payments of an order."""
        p = self.payment.c
        return select(*(p[name] for name in NEEDED), p.host).where(
            p.order_id == bindparam("the_order_id"), self.is_mine
        )

    def _supersede(self, connection: Connection, order: Order, attempts: Sequence[Any]) -> None:
        """Mark each payment that asks for what *order* no longer is; a `paid` of it is reviewed."""
        for row in attempts:
            if row.superseded or order.is_asked_by(row):
                continue

            # Somebody decides about this payment at this moment, on what was true until now.
            if connection.execute(self._write_superseded, {"the_id": row.id}).rowcount != 1:
                raise LostRaceError

    @cached_property
    def _write_superseded(self) -> Any:
        p = self.payment.c
        return (
            update(self.payment)
            .where(p.id == bindparam("the_id"), p.status.not_in(BARRING))
            .values(superseded=True)
        )

    def let_go(self, connection: Connection, payment_id: int) -> bool:
        """Let go of an order, which only a pending payment does. Return True if it did."""
        return bool(connection.execute(self._write_let_go, {"the_id": payment_id}).rowcount == 1)

    @cached_property
    def _write_let_go(self) -> Any:
        p = self.payment.c
        return (
            update(self.payment)
            .where(
                p.id == bindparam("the_id"),
                p.status == "pending",
                p.held_order_id.is_not(None),
            )
            .values(held_order_id=None)
        )

    def _insert(
        self, connection: Connection, order: Order, reference: str, host: str | None, now: datetime
    ) -> int:
        row = {
            "account": self.account,
            "order_id": order.order_id,
            "order_key": order.key,
            "host": host,
            "held_order_id": order.order_id,
            "reference": reference,
            "status": "pending",
            "product_id": order.product_id,
            "product_name": order.product_name,
            "price": order.price,
            "currency": order.currency,
            "language": order.language,
            "created_at": now,
            "updated_at": now,
            "due_at": now + SESSION_LIFETIME,
            "attempts": 0,
            "superseded": False,
        }

        try:
            result: Any = connection.execute(self._insert_payment, row)

        except IntegrityError as error:
            raise LostRaceError from error

        return int(result.inserted_primary_key[0])

    @cached_property
    def _insert_payment(self) -> Any:
        return insert(self.payment)


def _state(row: Any, order: Order, host: str | None, now: datetime) -> str:
    """Return the state of the payment that holds *order*."""
    being_created = now < row.created_at + CREATION_LIMIT

    if row.session_id is None:
        return "creating" if being_created else "abandoned"

    if not order.is_asked_by(row):
        return "superseded"

    # A report was quicker than the answer, so there is no URL yet to send the payer to.
    if row.session_url is None and being_created:
        return "creating"

    # Whoever began a payment session under another host may have chosen that host: the callback and
    # the payer would go there. Spayon is asked, as about one that is past its time.
    if host is not None and row.host not in (None, host):
        return "lapsed"

    return "live" if can_be_paid(row, now) else "lapsed"
