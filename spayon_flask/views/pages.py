"""Pages: what every page of the blueprint has in common, and the language that it speaks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal
from functools import wraps
from importlib import import_module
from typing import Any

from flask import Response, current_app, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue, RouteCallable
from jinja2 import pass_context
from jinja2.runtime import Context
from werkzeug.exceptions import BadRequest, HTTPException

from ..domain.handlers import check_result, load_order
from ..domain.languages import Language, choose_language
from ..domain.money import plain
from ..domain.orders import Order, OrderLine
from ..state import AppState, Current
from ..storage.database_errors import database_trouble, is_about_value

logger = logging.getLogger(__name__)


def page_language(state: AppState, preferred: str | None) -> Language:
    """Return the payer's language: the *preferred* one, which is the order's or the payment's.

    If there is none: what the shop's `language` function returns; then LANGUAGE in the settings;
    then the locale of Flask-Babel, if the app uses it; then what the browser asks for. Times are
    told in the zone in the settings, else in that of Flask-Babel, else in UTC.
    """
    babel: Any = import_module("flask_babel") if "babel" in current_app.extensions else None
    locale = babel and babel.get_locale()
    zone = state.settings.timezone or (babel and babel.get_timezone())
    # Not the best match of Werkzeug: of `ru-RU, en;q=0.1` that is `en`, since it is exact.
    accepted = [code for code, quality in request.accept_languages if quality > 0]
    wanted = (preferred or chosen_by_shop(state), state.settings.language, locale and str(locale))
    return choose_language(*wanted, *accepted).in_zone(zone)


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


class UnreadableError(Exception):
    """The shop's order loader has failed, which is logged."""


def load(state: AppState, key: str) -> Order | None:
    """Return the order that the shop's loader knows by *key*, or None if there is none.

    Raises what the loader says with `abort`, to a payer who may not see the order, say, and
    `UnreadableError`.
    """
    try:
        return load_order(state.handlers, key)

    except HTTPException:
        raise

    except Exception as error:
        # A statement that failed leaves a transaction in which nothing more works.
        state.storage.queries.look_again()
        ids = {"account": state.name, "order_key": key}

        if is_about_value(error, key):
            logger.info("no order has such a key: %s", type(error).__name__, extra=ids)
            return None

        logger.exception("the order could not be loaded: %s", type(error).__name__, extra=ids)
        raise UnreadableError from error


def misconfigured(state: AppState, key: str) -> Response:
    """Return the error page for an order, or all of them, that cannot be read."""
    return render_error(state, "misconfigured", 503, url_for(".checkout", order_id=key))


def surviving(
    current: Current,
    view: Callable[..., ResponseReturnValue],
    instead: Callable[[AppState, dict[str, Any]], Response],
) -> RouteCallable:
    """Return *view*, which is given the account, as one that survives without a database.

    If the database fails, or whatever tells the credentials of a vendor, the answer is the page
    *instead*, which is given the account and the values in the URL, and asks the database nothing.
    """

    @wraps(view)
    def page(**values: Any) -> ResponseReturnValue:
        state = None

        try:
            state = current()
            return view(state, **values)

        except Exception as error:
            trouble = database_trouble(error)

            if trouble is None and state is None:
                trouble = f"no credentials ({type(error).__name__})"

            # What the shop says with `abort` is no trouble, even if it has found no row.
            if trouble is None or isinstance(error, HTTPException):
                raise

            state = current(bare=True)
            logger.exception("a page failed: %s", trouble, extra={"account": state.name})

            # What failed leaves a transaction in which nothing more works.
            with suppress(Exception):
                state.storage.queries.look_again()

            return instead(state, values)

    return page


def is_foreign(public_url: str | None) -> bool | None:
    """Return True if a browser says that a page of another site has sent this request.

    *public_url* is the address of the shop, if it is known: a proxy may hide the host. None if
    nothing is said: that is no browser, or one of before 2020, and may send what it likes anyway.
    """
    if (site := request.headers.get("Sec-Fetch-Site")) is not None:
        return site not in ("same-origin", "none")

    if (origin := request.headers.get("Origin")) is None:
        return None

    ours = (f"http://{request.host}", f"https://{request.host}", public_url or "")
    return _place(origin) not in [_place(each) for each in ours if each]


def _place(url: str) -> str:
    """Return host and port of *url*. The scheme is left out: a proxy may have ended TLS."""
    host = url.partition("://")[2].partition("/")[0]
    return host.removesuffix(":443").removesuffix(":80").lower()


def csrf_protect() -> Any:
    """Return the app's CSRFProtect of Flask-WTF, or None if the app has none or has it off."""
    config = current_app.config
    is_on = config.get("WTF_CSRF_ENABLED", True) and config.get("WTF_CSRF_CHECK_DEFAULT", True)
    protect = current_app.extensions.get("csrf") if is_on else None
    return protect if hasattr(protect, "protect") else None


def has_good_token() -> bool:
    """Return False if the app's CSRFProtect, if there is one, refuses the token of this form."""
    protect = csrf_protect()

    with suppress(BadRequest):
        if protect is not None:
            protect.protect()

        return True

    return False


def return_url(payment: Any) -> str | None:
    """Return the return page of a payment; None if there is none, or no session id yet."""
    if payment is None or payment.session_id is None:
        return None

    return url_for(".return_page", session_id=payment.session_id)


def price_of(payment: Any, language: Language) -> str | None:
    """Return the price of a payment or an order as the payer writes it, or None."""
    if payment is None or payment.price is None or payment.currency is None:
        return None

    return language.price(payment.price, payment.currency)


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
