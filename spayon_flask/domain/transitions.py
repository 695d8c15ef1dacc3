"""The state machine: what a report does to a payment, and what the payments of an order allow."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from .orders import CONTROL_CHARACTERS, MAX_TEXT_LENGTH, Order, names_order
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

# Relies on: session-lifetime
#: A payment session lives this long (Spayon's documentation, create session).
SESSION_LIFETIME = timedelta(minutes=15)

#: A payment with one of these bars every other payment of its order.
BARRING = ("paid", "review")


#: A creation that never finished blocks its order for this long.
CREATION_LIMIT = timedelta(seconds=30)


class Transition(NamedTuple):
    """The *verdict* on a report. *status* is the payment's new status, or None if it stays.

    *review* is the reason, if the new status is `review`.
    """

    verdict: str
    status: str | None = None
    review: str | None = None


def decide(payment: Any, report: Report, *, order_is_paid: bool = False) -> Transition:
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


def _doubt(payment: Any, report: Report, *, order_is_paid: bool) -> str | None:
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


@dataclass
class Wish:
    """What one request wants to pay, and what it has found out so far."""

    order: Order
    #: The base URL that Spayon is given: a payment session belongs to it.
    base_url: str
    #: What the payer typed: it is handed to the shop, and not kept.
    details: Mapping[str, str] | None = None
    #: Payments made later may know the order better; None if any payment may.
    loaded_at: datetime | None = None
    #: The newest payment that was there when the order was loaded again.
    known: int = 0
    #: The payment that Spayon has been asked about.
    asked: int | None = None
    #: Whether a payment session that can be paid will do, whatever it asks for.
    takes_any: bool = False

    def is_for(self, payment: Any) -> bool:
        """Return True if *payment* may be paid by whoever wishes this."""
        return self.takes_any or self.order.is_asked_by(payment)


class Standing(NamedTuple):
    """What stands for an order: *state* and its *payment*.

    `free`: a new payment may be made; *payment* is one that has to let go of the order first, or
    None. `live`: the payment session can be paid. `creating`: another request is asking Spayon for
    it. `ask`: Spayon is to be asked about the payment before there is another. It has failed or
    expired, or its time is over by our clock, or it was made for another base URL. `changed`: the
    payment asks for something else, and was made after the order was loaded. `paid`, `review`,
    `closed`: nothing more is to be paid; the last has no payment.

    *superseded* are the payments that ask for what the order no longer is.
    """

    state: str
    payment: Any = None
    superseded: Sequence[Any] = ()


def judge(attempts: Sequence[Any], wish: Wish, *, gateway: str, now: datetime) -> Standing:
    """Return what stands for the order of *wish*; *attempts* are its payments, oldest first.

    A payment that was made with another *gateway* is neither asked about nor paid.
    """
    for status in BARRING:
        for each in attempts:
            if each.status == status:
                return Standing(status, each)

    if wish.order.closed is not None:
        return Standing("closed")

    superseded = [each for each in attempts if not (each.superseded or wish.is_for(each))]

    for each in superseded:
        # Another request may have loaded the order later than this one.
        if each.id > wish.known and (wish.loaded_at is None or each.created_at > wish.loaded_at):
            return Standing("changed", each)

    # By a key in the database there is at most one.
    holder = next((each for each in attempts if each.held_order_id is not None), None)
    if holder is not None and holder.gateway == gateway:
        state = _state(holder, wish, now)

        if state in ("live", "creating") or (state == "ask" and holder.id != wish.asked):
            return Standing(state, holder, superseded)

    if holder is None and attempts and _may_change(attempts[-1], wish, gateway):
        return Standing("ask", attempts[-1], superseded)

    return Standing("free", holder, superseded)


def is_being_created(payment: Any, now: datetime) -> bool:
    """Return True if a request is asking Spayon for the session of *payment* at this moment."""
    is_open = payment.session_url is None and payment.held_order_id is not None
    return bool(is_open and now < payment.created_at + CREATION_LIMIT)


def _may_change(last: Any, wish: Wish, gateway: str) -> bool:
    """Return True if the *last* attempt has ended, and Spayon is yet to be asked once more."""
    has_ended = last.status in ENDED and last.session_id is not None and last.due_at is not None
    return has_ended and last.gateway == gateway and last.id != wish.asked


def _state(holder: Any, wish: Wish, now: datetime) -> str:
    """Return the state of the payment that holds the order."""
    if holder.session_id is not None and not wish.is_for(holder):
        return "superseded"

    # A report may have been quicker than the answer: there is no URL yet to send the payer to.
    if is_being_created(holder, now):
        return "creating"

    if holder.session_id is None:
        return "abandoned"

    # Whoever began a payment session under another base URL may have chosen that: the callback and
    # the payer would go there. Spayon is asked, as about one that is past its time.
    if holder.base_url not in (None, wish.base_url):
        return "ask"

    return "live" if can_be_paid(holder, now) else "ask"
