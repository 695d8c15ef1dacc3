"""The return page: the truth about a payment, from our table."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue
from flask.typing import RouteCallable

from ..errors import GatewayError
from ..errors import SpayonError
from ..extension import Extension
from ..orders import MAX_ID_LENGTH
from ..orders import has_control_characters
from .language import page_language
from .pages import price_of
from .pages import render
from .pages import render_error
from .pages import retry_url
from .pages import return_url


logger = logging.getLogger(__name__)

#: After that, a page that still says "pending" explains itself.
_SLOW = timedelta(minutes=2)


def create_return_page(spayon: Extension) -> RouteCallable:
    """Return the view that the payer comes back to from *spayon*'s hosted page."""

    def return_page() -> ResponseReturnValue:
        """Show what became of the payment; the query string names it, and proves nothing."""
        payment = _find(spayon, request.args.get("session_id", ""))

        if payment is None:
            return render_error(spayon, "unknown_payment", 404)

        payment = _refreshed(spayon, payment)
        language = page_language(spayon.settings, payment.language)
        return render(
            spayon,
            "return.html",
            language,
            state=payment.status,
            payment=payment,
            price=price_of(payment, language),
            declines=language.declines(payment.decline_reasons or []),
            retry_url=retry_url(payment),
            check_url=return_url(payment),
            slow=spayon.state.clock() - payment.created_at > _SLOW,
        )

    return return_page


def _find(spayon: Extension, session_id: str) -> Any:
    if not session_id or len(session_id) > MAX_ID_LENGTH or has_control_characters(session_id):
        return None

    return spayon.state.storage.find(session_id=session_id)


def _refreshed(spayon: Extension, payment: Any) -> Any:
    """Return *payment*, asked about if it is pending; whatever goes wrong, pending is the truth."""
    payment_id = payment.id
    ids = {"account": spayon.name, "session_id": payment.session_id}

    try:
        return spayon.refresh(payment)

    except GatewayError as error:
        logger.warning("no status for the return page: %s", error, extra=ids)

    except SpayonError:
        logger.exception("the status for the return page could not be recorded", extra=ids)

    return spayon.state.storage.get(payment_id)
