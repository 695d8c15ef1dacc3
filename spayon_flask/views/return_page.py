"""The return page: the truth about a payment and its order, from our table."""

from __future__ import annotations

from datetime import datetime
from datetime import timedelta
from datetime import timezone
from typing import Any

from flask import redirect
from flask import request
from flask import url_for
from flask.typing import ResponseReturnValue
from flask.typing import RouteCallable

from ..orders import MAX_ID_LENGTH
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
from .standing import standing_of


#: A payer who has waited longer is told what to do.
_SLOW = timedelta(minutes=2)

#: A page without a script asks by itself for so long. A payment session lives 15 minutes.
_ASKS = timedelta(minutes=20)

_MAX_DIGITS = 11


def create_return_page(current: Current) -> RouteCallable:
    """Return the view that the payer comes back to from the hosted page."""

    def return_page(**_: object) -> ResponseReturnValue:
        """Show what became of the payment; the query string names it, and proves nothing."""
        state = current()
        # Relies on: return-parameter
        session_id = request.values.get("session_id", "")
        payment = _find(state, session_id)

        if payment is None:
            return render_error(state, "unknown_payment", 404)

        # Some banks send the payer back by a form of theirs.
        if request.method == "POST":
            return redirect(url_for(".return_page", session_id=session_id), 303)

        standing = standing_of(state, payment.order_id, payment)
        payment = standing.payment
        order = order_behind(state, payment)
        thanks_url = order.thanks_url if order and standing.state == "paid" else None

        # The script is told, and goes there by itself: its `fetch` may not follow to another host.
        if thanks_url and "X-Spayon-Script" not in request.headers:
            return redirect(thanks_url, 303)

        language = page_language(state, payment.language)
        now = state.clock()
        since = _waiting_since(now)
        other = standing.other
        paid = standing.state == "paid"
        return render(
            state,
            "return.html",
            language,
            state=standing.state,
            sure=standing.sure,
            reached=standing.reached,
            payment=payment,
            order_id=payment.order_id,
            order_url=order and order.url,
            price=price_paid(payment, language) if paid else price_of(payment, language),
            paid_at=paid_at(payment) if paid else None,
            declines=language.declines(payment.decline_reasons or []),
            retry_url=retry_url(payment),
            other_url=other and other.session_id and return_url(other),
            next_url=thanks_url,
            check_url=url_for(
                ".return_page", session_id=payment.session_id, since=int(since.timestamp())
            ),
            slow=now - min(since, payment.expires_at or now) > _SLOW,
            asks=now - since < _ASKS,
        )

    return return_page


def _find(state: AppState, session_id: str) -> Any:
    if not session_id or len(session_id) > MAX_ID_LENGTH or has_control_characters(session_id):
        return None

    return state.storage.queries.find(session_id=session_id)


def _waiting_since(now: datetime) -> datetime:
    """Return when this payer came back: the link "check again" carries it from page to page.

    Not when the payment was begun, since cards take their time: nothing is late by that.
    """
    text = request.args.get("since", "")

    if not (text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS):
        return now

    return min(now, datetime.fromtimestamp(int(text), timezone.utc))
