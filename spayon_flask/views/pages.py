"""Pages: what every page of the blueprint has in common, and the language that it speaks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import tzinfo
from decimal import Decimal
from functools import wraps
from importlib import import_module
from typing import Any

from flask import Blueprint, Response, current_app, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue, RouteCallable
from jinja2 import pass_context
from jinja2.runtime import Context
from werkzeug.exceptions import HTTPException

from ..domain.handlers import check_result
from ..domain.languages import Language, choose_language
from ..domain.money import plain
from ..domain.orders import Order, OrderLine
from ..state import AppState, Current
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
    # Not the best match of Werkzeug: of `ru-RU, en;q=0.1` that is `en`, since it is exact.
    accepted = [code for code, quality in request.accept_languages if quality > 0]
    language = choose_language(
        preferred or chosen_by_shop(state), settings.language, locale, *accepted
    )
    return language.in_zone(settings.timezone or zone)


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


def named(context: Mapping[str, Any]) -> dict[str, Any]:
    """Return *context* with names that no shop has: in its own frame its own words count."""
    return {f"spayon_{name}": value for name, value in context.items()}


def _texts(language: Language) -> Callable[..., str]:
    """Return the function by which a template speaks *language*.

    What our catalogues do not know is the shop's own message, for the gettext of its app.
    """

    @pass_context
    def text(context: Context, message: str, **variables: object) -> str:
        theirs: Any = context.environment.globals.get("gettext")

        if theirs is None or language.knows(message):
            return language.gettext(message, **variables)

        return str(context.call(theirs, message, **variables))

    return text


def render(
    app_state: AppState,
    template: str,
    language: Language,
    status_code: int = 200,
    **context: Any,
) -> Response:
    """Return the page *template*, which no cache keeps and no other site hears of."""
    settings = app_state.settings
    context |= {
        "language": language,
        "text": _texts(language),
        "shop_name": settings.shop_name_for(language.code) or request.host,
        "shop_url": settings.shop_url_for(language.code) or request.root_path + "/",
        # Whatever answers there, a shop in production takes money.
        "simulated": settings.simulated and not settings.production,
        "support": settings.support,
        "support_url": settings.support_url,
        "status_code": status_code,
    }
    page = render_template(f"spayon/{template}", **named(context))
    response = make_response(page, status_code)
    # As a header too: a shop's own base may lack the tag.
    response.headers["X-Robots-Tag"] = "noindex"
    # Flask-WTF takes a form over HTTPS only if the browser says which page it is on.
    response.headers["Referrer-Policy"] = "same-origin"
    return response


def protect_pages(blueprint: Blueprint) -> None:
    """Have each answer of *blueprint* tell browsers what to keep, to guess and to frame: nothing.

    A header that the shop has set, by `after_request` of the blueprint or of the app, is kept.
    """

    @blueprint.after_request
    def protect(response: Response) -> Response:
        response.headers.setdefault("X-Content-Type-Options", "nosniff")

        if not (request.endpoint or "").endswith(".static"):
            response.headers.setdefault("Cache-Control", "no-store")
            response.headers.setdefault("Content-Security-Policy", "frame-ancestors 'none'")

        return response


def render_error(
    state: AppState,
    reason: str,
    status_code: int,
    retry_url: str | None = None,
    order: Order | None = None,
    *,
    typed: Mapping[str, str] | None = None,
    reload_after: int | None = None,
) -> Response:
    """Return the error page for *reason*, with a way to try again if there is one.

    *order* is the one that the payer came for, if it is known; *typed* is what the payer has typed,
    which another try sends again. After *reload_after* seconds the page goes to *retry_url* by
    itself.
    """
    response = render(
        state,
        "error.html",
        page_language(state, order.language if order else None),
        status_code,
        reason=reason,
        retry_url=retry_url,
        typed=typed,
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

            # The credentials of a vendor stand in the database, perhaps.
            state = current(bare=True)
            logger.exception("a page failed: %s", trouble, extra={"account": state.name})

            # What failed leaves a transaction in which nothing more works.
            with suppress(Exception):
                state.storage.queries.look_again()

            return instead(state, values)

    return page


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
        # A person has accepted what nobody could read: how much it was stands in Spayon's panel.
        if payment.reviewed_at is not None:
            return language.gettext("Spayon named none that can be read")

        return price_of(payment, language)

    return language.price(payment.reported_price, payment.reported_currency)


def lines_of(order: Order, language: Language) -> list[dict[str, Any]]:
    """Return the lines of *order* with their prices as the payer writes them."""
    currency = order.currency
    return [
        {
            "name": line.name,
            "quantity": plain(Decimal(line.quantity)),
            # Of a product of the admin panel Spayon knows the currency, and nobody here.
            "price": language.price(line.total, currency) if currency else None,
        }
        for line in order.lines
        if isinstance(line, OrderLine)
    ]
