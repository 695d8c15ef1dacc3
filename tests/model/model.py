"""The model: what DESIGN promises of orders and payments, in plain Python.

The model knows neither the package nor its tables. It is told what payers, the gateway, the clock
and the operator do, and it says what must come of that.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

LIFETIME = timedelta(minutes=15)
INTERVAL = timedelta(seconds=5)
LAST_LOOK = timedelta(minutes=30)

#: After so many failures of a handler, over so long, a `paid` goes to review.
MAX_FAILURES, GIVE_UP_AFTER = 5, timedelta(days=3)

#: Of so many payments the page asks at most.
MOST_ASKED = 3

ENDED = {"failed", "expired"}

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
    #: How often a handler has failed, and since when.
    failures: int = 0
    #: A person has refused its money.
    refused: bool = False
    failing_since: datetime | None = None

    @property
    def expires_at(self) -> datetime:
        """When its payment session is over."""
        return self.created_at + LIFETIME


@dataclass
class Order:
    """What a shop sells. *state* is what a natural handler wrote, *given* counts the goods.

    Once *closed*, the order gets no other payment session.
    """

    price: int
    state: str = "new"
    given: int = 0
    closed: bool = False
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

        Every payment that asks for another price is superseded from now on, unless the order is
        closed: then nothing is made.
        """
        order = self.orders[order_id]

        for payment in order.with_status("paid") or order.with_status("review"):
            return payment

        if order.closed:
            return None

        for payment in order.payments:
            payment.superseded = payment.superseded or payment.price != order.price

            if payment.superseded:
                payment.holds = False

        return self.holder(order)

    def holder(self, order: Order) -> Payment | None:
        """Return the payment that an order is being paid with."""
        return next((each for each in order.payments if each.holds), None)

    def to_ask(self, order: Order, now: datetime) -> Payment | None:
        """Return the payment that the gateway is asked about before another is made, or None.

        That is one whose time is over, or the last one if it has ended: it may be paid after all.
        """
        if order.closed or order.with_status("paid", "review"):
            return None

        if (holder := self.holder(order)) is not None:
            return holder if now >= holder.expires_at else None

        last = order.payments[-1] if order.payments else None
        may_change = last is not None and last.status in ENDED and last.session_id is not None
        return last if may_change and last and last.last_look_at is not None else None

    def worth_asking(self, order: Order, payment: Payment) -> list[Payment]:
        """Return the payments that the page of *payment* asks the gateway about, in this order."""
        is_paid = bool(order.with_status("paid"))
        known = [each for each in order.payments if each.session_id and not each.refused]

        if is_paid:
            return [payment] if payment in known and payment.status == "pending" else []

        open_ = [each for each in reversed(known) if each.status in {"pending", *ENDED}]
        open_.sort(key=lambda each: (each is not payment, each.status != "pending"))
        return open_[:MOST_ASKED]

    def make(self, order_id: str, session_id: str | None, now: datetime) -> None:
        """Make a payment; without a *session_id* it does not hold the order.

        Of those without, one is kept for each price.
        """
        order = self.orders[order_id]
        twins = (
            each
            for each in order.with_status("pending")
            if each.session_id is None and not each.superseded and each.price == order.price
        )

        if session_id is not None or not any(twins):
            order.payments.append(
                Payment(order.price, session_id, now, holds=session_id is not None)
            )

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
            status = self._fail(payment, said, now)

        self.reports[key] = "known"
        payment.session_id = said.session_id if status is not None else payment.session_id

        if status is None:
            return False

        self._change(order, payment, status)
        payment.last_look_at = now + LAST_LOOK if status in ENDED else None
        payment.failures, payment.failing_since = 0, None
        return True

    def _fail(self, payment: Payment, said: Said, now: datetime) -> str:
        """Note that a handler has failed; return `review` once it has failed for days.

        Raises `HandlerFailedError` until then. A status check is to repeat the report.
        """
        if payment.session_id is None or payment.last_look_at is None:
            payment.last_look_at = now

        payment.session_id = said.session_id
        payment.failures += 1
        payment.failing_since = payment.failing_since or now
        since = payment.failing_since + GIVE_UP_AFTER

        if said.status != "paid" or payment.failures < MAX_FAILURES or now < since:
            raise HandlerFailedError

        return "review"

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
        payment.refused = status == "failed"
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
        if status not in ENDED:
            return True

        paid = any(each.status == "paid" for each in order.payments if each is not payment)
        return not paid

    def _change(self, order: Order, payment: Payment, status: str) -> None:
        tells = self._tells(order, payment, status)
        payment.status = status

        if status in ENDED:
            payment.holds = False

        if status == "paid":
            for each in order.payments:
                each.holds = each is payment

            order.given += 1

        if tells and status != "review":
            order.state = status
