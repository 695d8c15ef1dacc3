"""Payment pages: the return page and the cancel page, which each speak of one payment."""

from __future__ import annotations

import logging
import math
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
from ..handlers import load_order
from ..languages import Language
from ..orders import MAX_ID_LENGTH
from ..orders import Order
from ..orders import has_control_characters
from ..state import AppState
from ..state import Current
from .pages import page_language
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
_ASKS = timedelta(minutes=20)

#: A payer who has waited longer is told what to do.
_SLOW = timedelta(minutes=2)

#: Seconds after which a page that could not be made loads itself again.
_RELOAD = 30

_MAX_DIGITS = 11


class _Shown(NamedTuple):
    """What the page of one payment is about."""

    state: AppState
    payment: Any
    #: How the order stands, with all attempts to pay it.
    standing: Standing
    #: The order as the shop's loader knows it now, or None.
    order: Order | None
    language: Language


def create_return_page(current: Current) -> RouteCallable:
    """Return the view that the payer comes back to from the hosted page."""
    # Relies on: return-parameter
    return _create_payment_page(current, "return_page", "session_id", _show_return)


def _show_return(shown: _Shown) -> ResponseReturnValue:
    """Show what became of the payment."""
    payment, standing, order = shown.payment, shown.standing, shown.order
    thanks_url = order.thanks_url if order and standing.state == "paid" else None

    # The script is told, and goes there by itself: its `fetch` may not follow to another host.
    if thanks_url and "X-Spayon-Script" not in request.headers:
        return redirect(thanks_url, 303)

    now = shown.state.clock()
    since = _waiting_since(now)
    return _render_payment(
        shown,
        "return.html",
        declines=shown.language.declines(payment.decline_reasons or []),
        next_url=thanks_url,
        check_url=url_for(
            ".return_page", session_id=payment.session_id, since=int(since.timestamp())
        ),
        slow=now - min(since, payment.expires_at or now) > _SLOW,
        asks=now - since < _ASKS,
    )


def create_cancel_page(current: Current) -> RouteCallable:
    """Return the view for payers who came back from the hosted page without paying."""
    # Relies on: cancel-url-carries-session-id, cancel-keeps-session
    return _create_payment_page(current, "cancel_page", "reference", _show_cancel)


def _show_cancel(shown: _Shown) -> ResponseReturnValue:
    """Show until when the payment can still be made, and the way there."""
    payment, order = shown.payment, shown.order
    left = _left(shown)
    word = _word(shown, left)
    changed = {"price": order and price_of(order, shown.language)} if word == "changed" else {}
    asked = order if word == "changed" else payment
    return _render_payment(
        shown,
        "cancel.html",
        state=word,
        product_name=asked and asked.product_name,
        **changed,
        expires_at=payment.expires_at,
        over=payment.session_id is not None and left <= timedelta(0),
        minutes_left=math.ceil(left / timedelta(minutes=1)),
        resume_url=payment.session_url,
        return_url=payment.session_id and return_url(payment),
    )


def _word(shown: _Shown, left: timedelta) -> str:
    """Return the word for the template: how the order stands, and what can be done on this page."""
    payment, order = shown.payment, shown.order

    if shown.standing.state != "pending":
        return shown.standing.state

    if payment.superseded or (order is not None and not order.is_asked_by(payment)):
        return "changed"

    # Spayon has said how the payment ended: this is no time to begin again.
    if not shown.standing.recorded:
        return "pending"

    return "payable" if left > timedelta(0) else "pending"


def _left(shown: _Shown) -> timedelta:
    payment = shown.payment

    if payment.expires_at is None or payment.session_url is None:
        return timedelta(0)

    left: timedelta = payment.expires_at - shown.state.clock()
    return left


def _create_payment_page(
    current: Current, endpoint: str, key: str, show: Callable[[_Shown], ResponseReturnValue]
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
        order = _order_behind(state, payment)
        language = page_language(state, payment.language)
        return show(_Shown(state, payment, standing, order, language))

    def unreadable(state: AppState, values: dict[str, Any]) -> Response:
        now = state.clock()
        since = _waiting_since(now)
        again = here(named(values), since=int(since.timestamp()))
        reload_after = _RELOAD if now - since < _ASKS else None
        return render_error(state, "unreadable", 503, again, reload_after=reload_after)

    return surviving(current, page, unreadable)


def _render_payment(shown: _Shown, template: str, **context: Any) -> Response:
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


def _waiting_since(now: datetime) -> datetime:
    """Return when this payer came back: the link "check again" carries it from page to page.

    Not when the payment was begun, since cards take their time: nothing is late by that.
    """
    text = request.args.get("since", "")

    if not (text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS):
        return now

    return min(now, datetime.fromtimestamp(int(text), timezone.utc))


def _order_behind(state: AppState, payment: Any) -> Order | None:
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
