"""The cancel page: where "back" on the hosted page leads; the payment session is still payable."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

from flask.typing import ResponseReturnValue
from flask.typing import RouteCallable

from ..orders import has_control_characters
from ..state import AppState
from ..state import Current
from .language import page_language
from .pages import price_of
from .pages import render
from .pages import render_error
from .pages import retry_url
from .pages import return_url
from .refreshed import refreshed


def create_cancel_page(current: Current) -> RouteCallable:
    """Return the view for payers who came back from the hosted page without paying."""

    def cancel_page(reference: str) -> ResponseReturnValue:
        """Show until when the payment can still be made, and the way there."""
        state = current()
        known = not has_control_characters(reference)
        payment = state.storage.queries.find(reference=reference) if known else None

        if payment is None:
            return render_error(state, "unknown_payment", 404)

        # "Nothing was charged" must not rest on a callback that got lost.
        payment = refreshed(state, payment)
        language = page_language(state.settings, payment.language)
        left = _left(state, payment)
        payable = payment.status == "pending" and left > timedelta(0) and not payment.superseded
        return render(
            state,
            "cancel.html",
            language,
            state="payable" if payable else payment.status,
            payment=payment,
            price=price_of(payment, language),
            expires_at=payment.expires_at,
            minutes_left=math.ceil(left / timedelta(minutes=1)),
            resume_url=payment.session_url,
            retry_url=retry_url(payment),
            return_url=payment.session_id and return_url(payment),
        )

    return cancel_page


def _left(state: AppState, payment: Any) -> timedelta:
    if payment.expires_at is None or payment.session_url is None:
        return timedelta(0)

    left: timedelta = payment.expires_at - state.clock()
    return left
