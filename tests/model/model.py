"""The model: what DESIGN promises of orders and payments, in plain Python.

The model knows neither the package nor its tables. It is told what payers, the gateway, the clock
and the operator do, and it says what must come of that.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from datetime import datetime
from datetime import timedelta


LIFETIME = timedelta(minutes=15)
INTERVAL = timedelta(seconds=5)
LAST_LOOK = timedelta(minutes=30)

RANK = {"pending": 0, "failed": 1, "expired": 1, "paid": 2, "review": 2}


@dataclass
class Payment:
    """One attempt to pay. *session_id* is None while the gateway's answer is lost."""

    price: int
    session_id: str | None
    created_at: datetime
    status: str = "pending"
    superseded: bool = False
    #: The order is being paid, or was paid, with this payment.
    holds: bool = True
    asked_at: datetime | None = None
    #: When reconcile asks about it for the last time, once it has failed or expired.
    last_look_at: datetime | None = None

    @property
    def expires_at(self) -> datetime:
        """When its payment session is over."""
        return self.created_at + LIFETIME


@dataclass
class Order:
    """What a shop sells. *state* is what a natural handler wrote, *given* counts the goods."""

    price: int
    state: str = "new"
    given: int = 0
    payments: list[Payment] = field(default_factory=list)

    def with_status(self, *statuses: str) -> list[Payment]:
        """Return the payments that have one of *statuses*."""
        return [each for each in self.payments if each.status in statuses]


@dataclass(frozen=True)
class Said:
    """What the gateway says of a payment session."""

    session_id: str
    status: str
    price: int
    order_id: str | None


class HandlerFailedError(Exception):
    """The shop's handler raises, and all is as it was before."""


class Model:
    """Orders by their ids, and the reports that were recorded, with their verdicts."""

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.reports: dict[tuple[str, str], str] = {}

    def begin_checkout(self, order_id: str) -> Payment | None:
        """Return the payment that settles where the payer goes, or None if one is to be made.

        Every payment that asks for another price is superseded from now on.
        """
        order = self.orders[order_id]

        for payment in order.with_status("paid") or order.with_status("review"):
            return payment

        for payment in order.payments:
            payment.superseded = payment.superseded or payment.price != order.price

            if payment.superseded:
                payment.holds = False

        return self.holder(order)

    def holder(self, order: Order) -> Payment | None:
        """Return the payment that an order is being paid with."""
        return next((each for each in order.payments if each.holds), None)

    def make(self, order_id: str, session_id: str | None, now: datetime) -> Payment:
        """Make a payment; without a *session_id* it does not hold the order."""
        order = self.orders[order_id]
        payment = Payment(order.price, session_id, now, holds=session_id is not None)
        order.payments.append(payment)
        return payment

    def may_ask(self, payment: Payment, now: datetime) -> bool:
        """Return True if the gateway may be asked about a payment, and note that it is."""
        if payment.asked_at is not None and now < payment.asked_at + INTERVAL:
            return False

        payment.asked_at = now
        return True

    def report(self, said: Said, now: datetime, *, handler_fails: bool = False) -> bool:
        """Apply a report; return True if it changed a status.

        Raises `HandlerFailedError` if a handler had to run, and it fails.
        """
        key = said.session_id, said.status
        order, payment = self._find(said)

        if payment is None or order is None:
            self.reports.setdefault(key, "unknown")
            return False

        if self.reports.get(key, "unknown") != "unknown":
            return False

        status = self._decide(order, payment, said)

        if status is not None and handler_fails and self._tells(order, payment, status):
            raise HandlerFailedError

        self.reports[key] = "known"
        payment.session_id = said.session_id if status is not None else payment.session_id

        if status is None:
            return False

        self._change(order, payment, status)
        payment.last_look_at = now + LAST_LOOK if status in {"failed", "expired"} else None
        return True

    def expire_unanswered(self, now: datetime) -> None:
        """End the payments whose creation the gateway never answered; nobody is told."""
        for order in self.orders.values():
            for payment in order.with_status("pending"):
                if payment.session_id is None and payment.expires_at <= now:
                    payment.status = "expired"

    def may_accept(self, order: Order, payment: Payment) -> bool:
        """Return True if an operator can make a payment under review `paid`."""
        others = [each for each in order.payments if each is not payment]
        return not any(
            each.status == "paid" or (each.status == "review" and each.holds) for each in others
        )

    def settle(self, order: Order, payment: Payment, status: str) -> None:
        """Move a payment out of review, as a person says."""
        self._change(order, payment, status)

    def order_of(self, payment: Payment) -> str:
        """Return the id of a payment's order."""
        return next(each for each, order in self.orders.items() if payment in order.payments)

    def known(self) -> list[tuple[str, Payment]]:
        """Return the payments that have a payment session, with the ids of their orders."""
        return [
            (order_id, payment)
            for order_id, order in self.orders.items()
            for payment in order.payments
            if payment.session_id is not None
        ]

    def _find(self, said: Said) -> tuple[Order | None, Payment | None]:
        for order in self.orders.values():
            for payment in order.payments:
                if payment.session_id == said.session_id:
                    return order, payment

        if said.order_id not in self.orders:
            return None, None

        order = self.orders[said.order_id]
        lost = [each for each in order.payments if each.session_id is None]
        best = max(
            enumerate(lost), key=lambda each: (each[1].price == said.price, each[0]), default=None
        )
        return order, best and best[1]

    def _decide(self, order: Order, payment: Payment, said: Said) -> str | None:
        if said.status not in RANK or RANK[said.status] <= RANK[payment.status]:
            return None

        if said.status != "paid":
            return said.status

        # A payment under review holds the order or does not; only then it bars others.
        barred = any(
            each.status == "paid" or (each.status == "review" and each.holds)
            for each in order.payments
            if each is not payment
        )
        doubt = (
            barred
            or payment.superseded
            or said.order_id is None
            or self.orders.get(said.order_id) is not order
            or said.price != payment.price
        )
        return "review" if doubt else "paid"

    def _tells(self, order: Order, payment: Payment, status: str) -> bool:
        """Return True if a handler of the shop runs for this change."""
        if status not in {"failed", "expired"}:
            return True

        paid = any(each.status == "paid" for each in order.payments if each is not payment)
        return not paid

    def _change(self, order: Order, payment: Payment, status: str) -> None:
        tells = self._tells(order, payment, status)
        payment.status = status

        if status in {"failed", "expired"}:
            payment.holds = False

        if status == "paid":
            for each in order.payments:
                each.holds = each is payment

            order.given += 1

        if tells and status != "review":
            order.state = status
