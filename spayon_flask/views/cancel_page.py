"""The cancel page: where "back" on the hosted page leads; the payment session is still payable."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

from flask import redirect
from flask import request
from flask import url_for
from flask.typing import ResponseReturnValue
from flask.typing import RouteCallable

from ..orders import Order
from ..orders import has_control_characters
from ..state import AppState
from ..state import Current
from .behind import order_behind
from .language import page_language
from .pages import paid_at
from .pages import price_of
from .pages import price_paid
from .pages import render
from .pages import render_error
from .pages import retry_url
from .pages import return_url
from .standing import Standing
from .standing import standing_of


def create_cancel_page(current: Current) -> RouteCallable:
    """Return the view for payers who came back from the hosted page without paying."""

    def cancel_page(reference: str, **_: object) -> ResponseReturnValue:
        """Show until when the payment can still be made, and the way there."""
        # Relies on: cancel-url-carries-session-id, cancel-keeps-session
        state = current()
        known = not has_control_characters(reference)
        payment = state.storage.queries.find(reference=reference) if known else None

        if payment is None:
            return render_error(state, "unknown_payment", 404)

        if request.method == "POST":
            return redirect(url_for(".cancel_page", reference=reference), 303)

        standing = standing_of(state, payment.order_id, payment)
        payment = standing.payment
        order = order_behind(state, payment)
        language = page_language(state, payment.language)
        left = _left(state, payment)
        word = _word(standing, order, left)
        shown = order if word == "changed" else payment
        paid = word == "paid"
        other = standing.other
        return render(
            state,
            "cancel.html",
            language,
            state=word,
            sure=standing.sure,
            reached=standing.reached,
            payment=payment,
            order_id=payment.order_id,
            order_url=order and order.url,
            product_name=shown and shown.product_name,
            price=price_paid(payment, language) if paid else shown and price_of(shown, language),
            paid_at=paid_at(payment) if paid else None,
            expires_at=payment.expires_at,
            over=payment.session_id is not None and left <= timedelta(0),
            minutes_left=math.ceil(left / timedelta(minutes=1)),
            resume_url=payment.session_url,
            retry_url=retry_url(payment),
            return_url=payment.session_id and return_url(payment),
            other_url=other and other.session_id and return_url(other),
        )

    return cancel_page


def _word(standing: Standing, order: Order | None, left: timedelta) -> str:
    """Return the word for the template: how the order stands, and what can be done on this page."""
    payment = standing.payment

    if standing.state != "pending":
        return standing.state

    if payment.superseded or (order is not None and not order.is_asked_by(payment)):
        return "changed"

    return "payable" if left > timedelta(0) else "pending"


def _left(state: AppState, payment: Any) -> timedelta:
    if payment.expires_at is None or payment.session_url is None:
        return timedelta(0)

    left: timedelta = payment.expires_at - state.clock()
    return left
