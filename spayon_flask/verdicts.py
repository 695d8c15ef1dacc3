"""Verdicts: what a report does to a payment."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple
from typing import Protocol

from .reports import Report


APPLIED = "applied"
REVIEW = "review"
STALE = "stale"
UNCHANGED = "unchanged"
IGNORED = "ignored"
UNKNOWN = "unknown"

#: Later ones overrule earlier ones; of equals the first stands.
_RANK = {"pending": 0, "failed": 1, "expired": 1, "paid": 2, "review": 2}

#: Ends that a `paid` may still follow.
ENDED = ("failed", "expired")

#: What Spayon reports (documentation, callbacks). `review` is ours alone.
_REPORTED = ("pending", "paid", "failed", "expired")


class Asked(Protocol):
    """What is known of a payment when a report about it comes in."""

    @property
    def status(self) -> str: ...
    @property
    def order_id(self) -> str: ...
    @property
    def product_id(self) -> int | None: ...
    @property
    def price(self) -> Decimal | None: ...
    @property
    def currency(self) -> str | None: ...
    @property
    def superseded(self) -> bool: ...


class Decision(NamedTuple):
    """A *verdict*, with the new *status* where there is one, and the reason for a *review*."""

    verdict: str
    status: str | None = None
    review: str | None = None


def judge(payment: Asked, report: Report, *, order_is_paid: bool = False) -> Decision:
    """Decide what *report* does to *payment*.

    *order_is_paid* says that another payment of the same order is paid already.
    """
    if report.status not in _REPORTED:
        return Decision(IGNORED)

    if report.status == payment.status:
        return Decision(UNCHANGED)

    if _RANK[report.status] <= _RANK[payment.status]:
        return Decision(STALE)

    if report.status != "paid":
        return Decision(APPLIED, report.status)

    reason = _doubt(payment, report, order_is_paid=order_is_paid)
    return Decision(APPLIED, "paid") if reason is None else Decision(REVIEW, "review", reason)


def _doubt(payment: Asked, report: Report, *, order_is_paid: bool) -> str | None:
    """Return why a person must look at this `paid`, or None."""
    if order_is_paid:
        return "second_payment"

    if payment.superseded:
        return "superseded"

    if report.order_id is None:
        return "order_missing"

    if report.order_id != payment.order_id:
        return "order_differs"

    if report.price is None:
        return "price_unreadable" if report.has_price else "price_missing"

    if report.currency is None:
        return "currency_unreadable" if report.has_currency else "currency_missing"

    # The price of a product of the admin panel is Spayon's to tell.
    if payment.product_id is not None:
        return None

    if report.price != payment.price:
        return "price_differs"

    return None if report.currency == payment.currency else "currency_differs"
