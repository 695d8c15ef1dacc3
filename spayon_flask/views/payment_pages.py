"""Payment pages: the return page and the cancel page, which each speak of one payment."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from flask import Response, redirect, request, url_for
from flask.typing import ResponseReturnValue, RouteCallable
from werkzeug.exceptions import HTTPException

from ..domain.languages import Language
from ..domain.orders import Order, is_id
from ..state import AppState, Current
from . import pages
from .standing import Certainty, OrderState, Standing, standing_of_payment

#: A page without a script asks by itself for so long. A payment session lives 15 minutes.
_ASKS = timedelta(minutes=20)

#: A payer who has waited for so long is told what to do, and later so again in other words.
_SLOW = timedelta(seconds=15)
_SLOWER = timedelta(seconds=60)

#: Seconds after which a page that could not be made loads itself again.
_RELOAD = 30

#: Nobody waits for so many seconds: who says so is taken to be here for the first time.
_A_DAY = 24 * 3600


class _Shown(NamedTuple):
    """What the page of one payment is about."""

    state: AppState
    payment: Any
    #: How the order stands, with all attempts to pay it.
    standing: Standing
    #: The order as the shop's loader knows it now, or None.
    order: Order | None
    language: Language
    now: datetime


def create_return_page(current: Current) -> RouteCallable:
    """Return the view that the payer comes back to from the hosted page."""
    # Relies on: return-parameter
    return _create_payment_page(current, "return_page", "session_id", _show_return)


def _show_return(shown: _Shown) -> ResponseReturnValue:
    """Show what became of the payment."""
    payment, order, language, now = shown.payment, shown.order, shown.language, shown.now
    thanks_url = order.thanks_url if order and shown.standing.state is OrderState.PAID else None

    # The script is told, and goes there by itself: its `fetch` may not follow to another host.
    if thanks_url and "X-Spayon-Script" not in request.headers:
        return redirect(thanks_url, 303)

    since = _waiting_since(now)
    return _render(
        shown,
        "return.html",
        payment,
        declines=language.declines(payment.decline_reasons or []),
        lines=pages.lines_of(order, language) if order else [],
        looked_at=now,
        next_url=thanks_url,
        check_url=url_for(
            ".return_page", session_id=payment.session_id, since=int(since.timestamp())
        ),
        slow=_slow(now - min(since, payment.expires_at or now)),
        asks=now - since < _ASKS,
    )


def create_cancel_page(current: Current) -> RouteCallable:
    """Return the view for payers who came back from the hosted page without paying."""
    # Relies on: cancel-url-carries-session-id, cancel-keeps-session
    return _create_payment_page(current, "cancel_page", "reference", _show_cancel)


def _show_cancel(shown: _Shown) -> ResponseReturnValue:
    """Show until when the payment can still be made, and the way there."""
    payment, now = shown.payment, shown.now
    is_known = payment.session_id is not None
    left = (payment.expires_at or now) - now
    order_state = _order_state(shown, left)
    return _render(
        shown,
        "cancel.html",
        shown.order if order_state is OrderState.CHANGED else payment,
        state=order_state.value,
        expires_at=payment.expires_at,
        # Nobody can ask about a payment session without its id.
        slow=0 if is_known else 2 * _slow(now - payment.created_at),
        over=is_known and left <= timedelta(0),
        minutes_left=math.ceil(left / timedelta(minutes=1)),
        resume_url=payment.session_url,
        return_url=pages.return_url(payment) if is_known else None,
    )


def _order_state(shown: _Shown, left: timedelta) -> OrderState:
    """Return how the order stands, with what can be done about that on this page."""
    payment, order = shown.payment, shown.order

    if shown.standing.state is not OrderState.PENDING:
        return shown.standing.state

    if order is not None and order.closed is not None:
        return OrderState.CLOSED

    if payment.superseded or (order is not None and not order.is_asked_by(payment)):
        return OrderState.CHANGED

    # Spayon has said how the payment ended: this is no time to begin again.
    if shown.standing.certainty is Certainty.UNRECORDED:
        return OrderState.PENDING

    return OrderState.PAYABLE if left > timedelta(0) else OrderState.PENDING


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

    def page(state: AppState, **values: Any) -> ResponseReturnValue:
        name = named(values)
        attempts = state.storage.queries.attempts_beside(**{key: name}) if is_id(name) else ()
        mine = next((each for each in attempts if getattr(each, key) == name), None)

        if mine is None:
            return pages.render_error(state, "unknown_payment", 404)

        if request.method == "POST":
            return redirect(here(name), 303)

        standing = standing_of_payment(state, attempts, mine)
        payment = standing.payment
        order = _order_behind(state, payment)
        language = pages.page_language(state, payment.language)
        return show(_Shown(state, payment, standing, order, language, state.clock()))

    def unreadable(state: AppState, values: dict[str, Any]) -> Response:
        now = state.clock()
        since = _waiting_since(now)
        again = here(named(values), since=int(since.timestamp()))
        reload_after = _RELOAD if now - since < _ASKS else None
        return pages.render_error(state, "unreadable", 503, again, reload_after=reload_after)

    return pages.surviving(current, page, unreadable)


def _render(shown: _Shown, template: str, bought: Any, **context: Any) -> Response:
    """Return the page *template* about *shown*; *context* is what this page alone says.

    *bought* is a payment or an order: that has the product and the price to be shown.
    """
    payment, standing, order = shown.payment, shown.standing, shown.order
    language, other = shown.language, standing.other
    paid = standing.state is OrderState.PAID
    common = {
        "state": standing.state.value,
        "certainty": standing.certainty.value,
        "over": False,
        "payment": payment,
        "order_id": payment.order_id,
        "order_url": order and order.url,
        "closed": order and order.closed,
        "product_name": bought and bought.product_name,
        "price": _price_paid(payment, language) if paid else pages.price_of(bought, language),
        # By Spayon's word; else when we heard of it.
        "paid_at": payment.paid_at or payment.updated_at if paid else None,
        "retry_url": url_for(".checkout", order_id=payment.order_key or payment.order_id),
        "other_url": pages.return_url(other),
    }
    return pages.render(shown.state, template, language, **(common | context))


def _price_paid(payment: Any, language: Language) -> str | None:
    """Return what Spayon says was paid, as the payer writes it; else what was asked for."""
    if payment.reported_price is None or payment.reported_currency is None:
        # A person has accepted what nobody could read: how much it was stands in Spayon's panel.
        if payment.reviewed_at is not None:
            return language.gettext("Spayon named none that can be read")

        return pages.price_of(payment, language)

    return language.price(payment.reported_price, payment.reported_currency)


def _slow(waited: timedelta) -> int:
    """Return 0, 1 or 2: how long a payer has *waited*, as the templates know it."""
    return int(waited >= _SLOW) + int(waited >= _SLOWER)


def _waiting_since(now: datetime) -> datetime:
    """Return when this payer came back: the link "check again" carries it from page to page.

    Not when the payment was begun, since cards take their time: nothing is late by that.
    """
    present = int(now.timestamp())
    waited = present - request.args.get("since", present, type=int)
    return now - timedelta(seconds=waited if 0 <= waited <= _A_DAY else 0)


def _order_behind(state: AppState, payment: Any) -> Order | None:
    """Return the order that *payment* is for, as the shop's loader knows it now.

    None if the loader has none, or will not show it to whoever is asking: the payer may be back in
    another browser, and the pages say how the payment stands all the same.
    """
    if state.handlers.order_loader is not None:
        with suppress(HTTPException, pages.UnreadableError):
            return pages.load(state, payment.order_key or payment.order_id)

    return None
