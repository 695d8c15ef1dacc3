"""The cancel page: where "back" on the hosted page leads; the payment session is still payable."""

from __future__ import annotations

import math
from datetime import timedelta

from flask.typing import ResponseReturnValue
from flask.typing import RouteCallable

from ..state import Current
from .pages import price_of
from .pages import return_url
from .payment_page import Shown
from .payment_page import create_payment_page
from .payment_page import render_payment


def create_cancel_page(current: Current) -> RouteCallable:
    """Return the view for payers who came back from the hosted page without paying."""
    # Relies on: cancel-url-carries-session-id, cancel-keeps-session
    return create_payment_page(current, "cancel_page", "reference", _show)


def _show(shown: Shown) -> ResponseReturnValue:
    """Show until when the payment can still be made, and the way there."""
    payment, order = shown.payment, shown.order
    left = _left(shown)
    word = _word(shown, left)
    changed = {"price": order and price_of(order, shown.language)} if word == "changed" else {}
    asked = order if word == "changed" else payment
    return render_payment(
        shown,
        "cancel.html",
        state=word,
        product_name=asked and asked.product_name,
        **changed,
        expires_at=payment.expires_at,
        over=payment.session_id is not None and left <= timedelta(0),
        minutes_left=math.ceil(left / timedelta(minutes=1)),
        resume_url=payment.session_url,
        return_url=payment.session_id and return_url(payment),
    )


def _word(shown: Shown, left: timedelta) -> str:
    """Return the word for the template: how the order stands, and what can be done on this page."""
    payment, order = shown.payment, shown.order

    if shown.standing.state != "pending":
        return shown.standing.state

    if payment.superseded or (order is not None and not order.is_asked_by(payment)):
        return "changed"

    # Spayon has said how the payment ended: this is no time to begin again.
    if not shown.standing.recorded:
        return "pending"

    return "payable" if left > timedelta(0) else "pending"


def _left(shown: Shown) -> timedelta:
    payment = shown.payment

    if payment.expires_at is None or payment.session_url is None:
        return timedelta(0)

    left: timedelta = payment.expires_at - shown.state.clock()
    return left
