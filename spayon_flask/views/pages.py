"""Pages: what every page of the blueprint has in common."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import wraps
from typing import Any

from flask import Response
from flask import make_response
from flask import render_template
from flask import request
from flask import url_for
from flask.typing import ResponseReturnValue
from flask.typing import RouteCallable
from werkzeug.exceptions import HTTPException

from ..languages import Language
from ..orders import Order
from ..state import AppState
from ..state import Current
from ..storage.database_errors import database_trouble
from .language import page_language


logger = logging.getLogger(__name__)


def render(
    app_state: AppState,
    template: str,
    language: Language,
    status_code: int = 200,
    **context: Any,
) -> Response:
    """Return the page *template*, which no cache keeps and no other site hears of."""
    settings = app_state.settings
    response = make_response(
        render_template(
            f"spayon/{template}",
            language=language,
            _=language.gettext,
            shop_name=settings.shop_name_for(language.code) or request.host,
            shop_url=settings.shop_url_for(language.code) or request.root_path + "/",
            simulated=settings.simulated,
            support=settings.support,
            support_url=settings.support_url,
            status_code=status_code,
            **context,
        ),
        status_code,
    )
    response.headers["Cache-Control"] = "no-store"
    # As a header too: a shop's own base may lack the tag.
    response.headers["X-Robots-Tag"] = "noindex"
    # Flask-WTF takes a form over HTTPS only if the browser says which page it is on.
    response.headers["Referrer-Policy"] = "same-origin"
    return response


def render_error(
    state: AppState,
    reason: str,
    status_code: int,
    retry_url: str | None = None,
    order: Order | None = None,
    *,
    reload_after: int | None = None,
) -> Response:
    """Return the error page for *reason*, with a way to try again if there is one.

    *order* is the one that the payer came for, if it is known. After *reload_after* seconds the
    page goes to *retry_url* by itself.
    """
    response = render(
        state,
        "error.html",
        page_language(state, order.language if order else None),
        status_code,
        reason=reason,
        retry_url=retry_url,
        order_id=order and order.order_id,
        order_url=order and order.url,
        reload_after=reload_after,
    )

    if reload_after is not None:
        response.headers["Retry-After"] = str(reload_after)

    return response


def surviving(
    current: Current, view: RouteCallable, instead: Callable[[AppState, dict[str, Any]], Response]
) -> RouteCallable:
    """Return *view* as one that answers with the page *instead* if the database fails.

    *instead* is given the state and the values in the URL, and asks the database nothing.
    """

    @wraps(view)
    def page(**values: Any) -> ResponseReturnValue:
        try:
            return view(**values)  # type: ignore[return-value]  # none of ours is a coroutine

        except HTTPException:
            # What the shop says with `abort`. It may have found no row, which is no trouble.
            raise

        except Exception as error:
            trouble = database_trouble(error)

            if trouble is None:
                raise

            state = current()
            logger.exception("a page failed: %s", trouble, extra={"account": state.name})

            # What failed leaves a transaction in which nothing more works.
            with suppress(Exception):
                state.storage.queries.look_again()

            return instead(state, values)

    return page


def retry_url(payment: Any) -> str:
    """Return the checkout page of a payment's order."""
    return url_for(".checkout", order_id=payment.order_key or payment.order_id)


def return_url(payment: Any) -> str:
    """Return the return page of a payment."""
    return url_for(".return_page", session_id=payment.session_id)


def price_of(payment: Any, language: Language) -> str | None:
    """Return the price of a payment or an order as the payer writes it, or None."""
    if payment.price is None or payment.currency is None:
        return None

    return language.price(payment.price, payment.currency)


def price_paid(payment: Any, language: Language) -> str | None:
    """Return what Spayon says was paid, as the payer writes it; else what was asked for."""
    if payment.reported_price is None or payment.reported_currency is None:
        return price_of(payment, language)

    return language.price(payment.reported_price, payment.reported_currency)


def paid_at(payment: Any) -> datetime:
    """Return when a payment was paid, by Spayon's word; else when we heard of it."""
    moment: datetime = payment.paid_at or payment.updated_at
    return moment
