"""Pages: what every page of the blueprint has in common, and the language that it speaks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from datetime import tzinfo
from functools import wraps
from importlib import import_module
from typing import Any

from flask import Response
from flask import current_app
from flask import make_response
from flask import render_template
from flask import request
from flask import url_for
from flask.typing import ResponseReturnValue
from flask.typing import RouteCallable
from werkzeug.exceptions import HTTPException

from ..handlers import check_result
from ..languages import Language
from ..languages import choose_language
from ..orders import Order
from ..state import AppState
from ..state import Current
from ..storage.database_errors import database_trouble


logger = logging.getLogger(__name__)


def page_language(state: AppState, preferred: str | None) -> Language:
    """Return the payer's language: the *preferred* one, which is the order's or the payment's.

    If there is none: what the shop's `language` function returns; then LANGUAGE in the settings;
    then the locale of Flask-Babel, if the app uses it; then what the browser asks for. Times are
    told in the zone in the settings, else in that of Flask-Babel, else in UTC.
    """
    locale, zone = _babel()
    settings = state.settings
    chosen = preferred or chosen_by_shop(state)
    return choose_language(chosen, settings.language, locale, *accepted()).in_zone(
        settings.timezone or zone
    )


def accepted() -> list[str]:
    """Return the language codes that the browser takes, the best liked first.

    Not the best match of Werkzeug: of `ru-RU, en;q=0.1` that is `en`, since it is exact.
    """
    return [code for code, quality in request.accept_languages if quality > 0]


def chosen_by_shop(state: AppState) -> str | None:
    """Return what the shop's function says; an error page must not fail by it."""
    choose = state.handlers.language

    if choose is None:
        return None

    try:
        code: object = choose()
        check_result(choose, code)

    except Exception:
        logger.exception("the language function failed", extra={"account": state.name})
        return None

    # A locale of Babel's is as good as its code.
    return None if code is None else str(code)


def _babel() -> tuple[str | None, tzinfo | None]:
    """Return the locale and the time zone that Flask-Babel chose for this request, if any."""
    if "babel" not in current_app.extensions:
        return None, None

    babel: Any = import_module("flask_babel")
    locale = babel.get_locale()
    return None if locale is None else str(locale), babel.get_timezone()


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
