"""The state machine of a payment: what a report does to it, and what its status allows."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Any
from typing import NamedTuple
from typing import Protocol

from .orders import CONTROL_CHARACTERS
from .orders import MAX_TEXT_LENGTH
from .orders import names_order
from .reports import Report


#: Verdicts: what a report did.
APPLIED = "applied"
REVIEW = "review"
STALE = "stale"
UNCHANGED = "unchanged"
IGNORED = "ignored"
UNKNOWN = "unknown"

#: A status with a higher rank may follow one with a lower rank. Of two with the same rank the first
#: one stands.
_RANK = {"pending": 0, "failed": 1, "expired": 1, "paid": 2, "review": 2}

#: A payment with one of these has ended, but a `paid` may still follow.
ENDED = ("failed", "expired")

# Relies on: statuses, fresh-status, session-fails
#: What Spayon reports (documentation, callbacks). The status `review` is ours alone.
REPORTED = ("pending", "paid", "failed", "expired")

#: A payment with one of these bars every other payment of its order.
BARRING = ("paid", "review")


class Asked(Protocol):
    """What the state machine needs to know of a payment."""

    @property
    def status(self) -> str: ...
    @property
    def order_id(self) -> str: ...
    @property
    def reference(self) -> str: ...
    @property
    def product_id(self) -> int | None: ...
    @property
    def price(self) -> Decimal | None: ...
    @property
    def currency(self) -> str | None: ...
    @property
    def superseded(self) -> bool: ...


class Transition(NamedTuple):
    """The *verdict* on a report. *status* is the payment's new status, or None if it stays.

    *review* is the reason, if the new status is `review`.
    """

    verdict: str
    status: str | None = None
    review: str | None = None


def decide(payment: Asked, report: Report, *, order_is_paid: bool = False) -> Transition:
    """Return what *report* does to *payment*.

    *order_is_paid* tells if another payment of the same order is paid or under review.
    """
    if report.status not in REPORTED:
        return Transition(IGNORED)

    if report.status == payment.status:
        return Transition(UNCHANGED)

    if _RANK[report.status] <= _RANK[payment.status]:
        return Transition(STALE)

    if report.status != "paid":
        return Transition(APPLIED, report.status)

    reason = _doubt(payment, report, order_is_paid=order_is_paid)
    return Transition(APPLIED, "paid") if reason is None else hold_back(reason)


def hold_back(reason: str) -> Transition:
    """Return the transition of a payment that a person must look at, for *reason*."""
    return Transition(REVIEW, "review", reason)


def readable_reason(reason: object) -> str:
    """Return the *reason* of a handler as text that every database can hold."""
    text = re.sub(CONTROL_CHARACTERS, "", str(reason))
    return text[:MAX_TEXT_LENGTH].strip() or "needs_review"


def held_order(payment: Any, status: str) -> str | None:
    """Return the order that *payment* holds once it has *status*, or None.

    A payment that is pending or paid holds its order. One that has ended holds none. One under
    review goes on holding what it held.
    """
    if status == "paid":
        return str(payment.order_id)

    return None if status in ENDED else payment.held_order_id


def can_be_paid(payment: Any, now: datetime) -> bool:
    """Return True if a payer can still pay *payment* on Spayon's page, by our clock."""
    return (
        payment.status == "pending"
        and not payment.superseded
        and payment.session_url is not None
        and payment.expires_at is not None
        and now < payment.expires_at
    )


def _doubt(payment: Asked, report: Report, *, order_is_paid: bool) -> str | None:
    """Return why a person must look at this `paid`, or None."""
    if order_is_paid:
        return "second_payment"

    if payment.superseded:
        return "superseded"

    if report.order_id is None:
        return "order_missing"

    # The order's own id, as a rule. A later attempt at the same order has one of its own.
    if report.order_id != payment.order_id and not names_order(
        report.order_id, payment.order_id, payment.reference
    ):
        return "order_differs"

    if report.price is None:
        return "price_unreadable" if report.has_price else "price_missing"

    if report.currency is None:
        return "currency_unreadable" if report.has_currency else "currency_missing"

    # Spayon sets the price of a product of its admin panel.
    if payment.product_id is not None:
        return None

    if report.price != payment.price:
        return "price_differs"

    return None if report.currency == payment.currency else "currency_differs"
