"""The return page: the truth about a payment and its order, from our table."""

from __future__ import annotations

from datetime import timedelta

from flask import redirect
from flask import request
from flask import url_for
from flask.typing import ResponseReturnValue
from flask.typing import RouteCallable

from ..state import Current
from .payment_page import ASKS
from .payment_page import Shown
from .payment_page import create_payment_page
from .payment_page import render_payment
from .payment_page import waiting_since


#: A payer who has waited longer is told what to do.
_SLOW = timedelta(minutes=2)


def create_return_page(current: Current) -> RouteCallable:
    """Return the view that the payer comes back to from the hosted page."""
    # Relies on: return-parameter
    return create_payment_page(current, "return_page", "session_id", _show)


def _show(shown: Shown) -> ResponseReturnValue:
    """Show what became of the payment."""
    payment, standing, order = shown.payment, shown.standing, shown.order
    thanks_url = order.thanks_url if order and standing.state == "paid" else None

    # The script is told, and goes there by itself: its `fetch` may not follow to another host.
    if thanks_url and "X-Spayon-Script" not in request.headers:
        return redirect(thanks_url, 303)

    now = shown.state.clock()
    since = waiting_since(now)
    return render_payment(
        shown,
        "return.html",
        declines=shown.language.declines(payment.decline_reasons or []),
        next_url=thanks_url,
        check_url=url_for(
            ".return_page", session_id=payment.session_id, since=int(since.timestamp())
        ),
        slow=now - min(since, payment.expires_at or now) > _SLOW,
        asks=now - since < ASKS,
    )
