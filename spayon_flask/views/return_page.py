"""The return page: the truth about a payment, from our table."""

from __future__ import annotations

from datetime import datetime
from datetime import timedelta
from datetime import timezone
from typing import Any

from flask import request
from flask import url_for
from flask.typing import ResponseReturnValue
from flask.typing import RouteCallable

from ..orders import MAX_ID_LENGTH
from ..orders import has_control_characters
from ..state import AppState
from ..state import Current
from .language import page_language
from .pages import price_of
from .pages import render
from .pages import render_error
from .pages import retry_url
from .refreshed import refreshed


#: A payer who has waited longer is told what to do.
_SLOW = timedelta(minutes=2)

_MAX_DIGITS = 11


def create_return_page(current: Current) -> RouteCallable:
    """Return the view that the payer comes back to from the hosted page."""

    def return_page() -> ResponseReturnValue:
        """Show what became of the payment; the query string names it, and proves nothing."""
        state = current()
        payment = _find(state, request.args.get("session_id", ""))

        if payment is None:
            return render_error(state, "unknown_payment", 404)

        payment = refreshed(state, payment)
        language = page_language(state.settings, payment.language)
        now = state.clock()
        since = _waiting_since(now)
        return render(
            state,
            "return.html",
            language,
            state=payment.status,
            payment=payment,
            price=price_of(payment, language),
            declines=language.declines(payment.decline_reasons or []),
            retry_url=retry_url(payment),
            check_url=url_for(
                ".return_page", session_id=payment.session_id, since=int(since.timestamp())
            ),
            slow=now - min(since, payment.expires_at or now) > _SLOW,
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
