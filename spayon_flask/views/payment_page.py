"""The page of one payment: what the return page and the cancel page have in common."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from datetime import timedelta
from datetime import timezone
from typing import Any
from typing import NamedTuple

from flask import Response
from flask import redirect
from flask import request
from flask import url_for
from flask.typing import ResponseReturnValue
from flask.typing import RouteCallable
from werkzeug.exceptions import HTTPException

from ..errors import RegistrationError
from ..languages import Language
from ..loading import load_order
from ..orders import MAX_ID_LENGTH
from ..orders import Order
from ..orders import has_control_characters
from ..state import AppState
from ..state import Current
from .language import page_language
from .pages import paid_at
from .pages import price_of
from .pages import price_paid
from .pages import render
from .pages import render_error
from .pages import retry_url
from .pages import return_url
from .pages import surviving
from .standing import Standing
from .standing import standing_of


logger = logging.getLogger(__name__)

#: A page without a script asks by itself for so long. A payment session lives 15 minutes.
ASKS = timedelta(minutes=20)

#: Seconds after which a page that could not be made loads itself again.
_RELOAD = 30

_MAX_DIGITS = 11


class Shown(NamedTuple):
    """What the page of one payment is about."""

    state: AppState
    payment: Any
    #: How the order stands, with all attempts to pay it.
    standing: Standing
    #: The order as the shop's loader knows it now, or None.
    order: Order | None
    language: Language


def create_payment_page(
    current: Current, endpoint: str, key: str, show: Callable[[Shown], ResponseReturnValue]
) -> RouteCallable:
    """Return the view of *endpoint*: its URL names a payment by *key*, *show* makes the page of it.

    What the URL says proves nothing. *key* is a column: `session_id` or `reference`. If the
    database is away, the page says that a payment is not lost, and loads itself again.
    """

    def here(name: str, **more: object) -> str:
        return url_for(f".{endpoint}", **{key: name}, **more)  # type: ignore[arg-type]  # no _scheme

    def named(values: dict[str, Any]) -> str:
        # Some banks send the payer back by a form of theirs.
        return str(values.get(key) or request.values.get(key, ""))

    def page(**values: Any) -> ResponseReturnValue:
        state = current()
        name = named(values)
        payment = _find(state, key, name)

        if payment is None:
            return render_error(state, "unknown_payment", 404)

        if request.method == "POST":
            return redirect(here(name), 303)

        standing = standing_of(state, payment.order_id, payment)
        payment = standing.payment
        order = order_behind(state, payment)
        language = page_language(state, payment.language)
        return show(Shown(state, payment, standing, order, language))

    def unreadable(state: AppState, values: dict[str, Any]) -> Response:
        now = state.clock()
        since = waiting_since(now)
        again = here(named(values), since=int(since.timestamp()))
        reload_after = _RELOAD if now - since < ASKS else None
        return render_error(state, "unreadable", 503, again, reload_after=reload_after)

    return surviving(current, page, unreadable)


def render_payment(shown: Shown, template: str, **context: Any) -> Response:
    """Return the page *template* about *shown*; *context* is what this page alone says."""
    payment, standing, order = shown.payment, shown.standing, shown.order
    language, other = shown.language, shown.standing.other
    paid = standing.state == "paid"
    common = {
        "state": standing.state,
        "sure": standing.sure,
        "reached": standing.reached,
        "recorded": standing.recorded,
        "payment": payment,
        "order_id": payment.order_id,
        "order_url": order and order.url,
        "price": price_paid(payment, language) if paid else price_of(payment, language),
        "paid_at": paid_at(payment) if paid else None,
        "retry_url": retry_url(payment),
        "other_url": other and other.session_id and return_url(other),
    }
    return render(shown.state, template, language, **(common | context))


def waiting_since(now: datetime) -> datetime:
    """Return when this payer came back: the link "check again" carries it from page to page.

    Not when the payment was begun, since cards take their time: nothing is late by that.
    """
    text = request.args.get("since", "")

    if not (text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS):
        return now

    return min(now, datetime.fromtimestamp(int(text), timezone.utc))


def order_behind(state: AppState, payment: Any) -> Order | None:
    """Return the order that *payment* is for, as the shop's loader knows it now.

    None if the loader has none, or will not show it to whoever is asking: the payer may be back in
    another browser, and the pages say how the payment stands all the same.
    """
    ids = {"account": state.name, "order_id": payment.order_id}

    try:
        return load_order(state.handlers, payment.order_key or payment.order_id)

    except (HTTPException, RegistrationError):
        return None

    except Exception as error:  # noqa: BLE001  whatever a loader raises; it is logged
        logger.warning("the order could not be loaded: %s", type(error).__name__, extra=ids)
        # A statement that failed leaves a transaction in which nothing more works.
        state.storage.queries.look_again()
        return None


def _find(state: AppState, key: str, name: str) -> Any:
    if not name or len(name) > MAX_ID_LENGTH or has_control_characters(name):
        return None

    return state.storage.queries.find(**{key: name})
