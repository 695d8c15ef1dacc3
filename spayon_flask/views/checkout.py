"""The checkout page: what is bought, for how much, what the order lacks, and on to Spayon."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

from flask import Response, redirect, request, url_for
from flask.typing import ResponseReturnValue, RouteCallable
from werkzeug.exceptions import HTTPException

from ..domain.handlers import load_order
from ..domain.languages import Language
from ..domain.orders import Order
from ..domain.redaction import HiddenDict
from ..errors import (
    AuthenticationError,
    ConfigError,
    GatewayError,
    GatewayUnavailableError,
    OrderNotPayableError,
    RequestRefusedError,
    StillCreatingError,
)
from ..state import AppState, Current
from ..storage.database_errors import database_trouble, is_about_value
from .forms import Field, has_good_token, is_foreign, is_own, not_accepted, read_fields
from .pages import (
    chosen_by_shop,
    lines_of,
    page_language,
    price_of,
    render,
    render_error,
    return_url,
    surviving,
)
from .standing import OrderState, Standing, standing_of_order

logger = logging.getLogger(__name__)

#: The answers to a creation that may be about what the payer typed; Spayon's own is unknown.
ABOUT_FIELDS = (400, 422)

#: A field of a form that is shown again, since its token was refused.
AGAIN = "spayon_again"

#: What a browser asks for if it does not ask for a page.
_NO_PAGE = ("style", "script", "image", "font")

#: Seconds after which the page about another request's payment session goes on by itself.
RELOAD = 3


def create_checkout(current: Current) -> RouteCallable:
    """Return the view that shows an order, and sends the payer to Spayon."""

    def checkout(order_id: str, **_: object) -> ResponseReturnValue:
        """Show what is bought (GET); create or reuse the payment session, and go there (POST)."""
        state = current()

        # A relative link in the shop's frame leads here: no order has a stylesheet.
        if request.headers.get("Sec-Fetch-Dest") in _NO_PAGE:
            return render_error(state, "unknown_order", 404)

        try:
            order = load_order(state.handlers, order_id)

        except HTTPException:
            # What the loader says with `abort`, to a payer who may not see the order, say.
            raise

        except Exception as error:  # noqa: BLE001  whatever a loader raises; it is logged
            return _refuse(state, order_id, error)

        if order is None:
            return render_error(state, "unknown_order", 404)

        # What the loader or a `before_request` wrote stays, also if nobody presses the button.
        state.storage.commit_earlier_work()
        language = page_language(state, order.language)

        if request.method == "POST":
            return _take_form(state, order, language)

        return _show(state, order, language, read_fields(state, order, language))

    def unreadable(state: AppState, values: dict[str, Any]) -> Response:
        here = url_for(".checkout", order_id=values["order_id"])
        return render_error(state, "misconfigured", 503, here)

    return surviving(current, checkout, unreadable)


def _refuse(state: AppState, key: str, error: Exception) -> ResponseReturnValue:
    """Return the page for an order that could not be loaded, and log why."""
    # A statement that failed leaves a transaction in which nothing more works.
    state.storage.queries.look_again()
    ids = {"account": state.name, "order_key": key}

    if is_about_value(error, key):
        logger.info("no order has such a key: %s", type(error).__name__, extra=ids)
        return render_error(state, "unknown_order", 404)

    logger.error("the order could not be loaded: %s", error, extra=ids, exc_info=error)
    return render_error(state, "misconfigured", 503, url_for(".checkout", order_id=key))


def _show(
    state: AppState,
    order: Order,
    language: Language,
    fields: list[Field],
    status_code: int = 200,
    *,
    stale: bool = False,
) -> ResponseReturnValue:
    """Return the checkout page; *stale* is true if a form was not taken, and has to be sent again.

    Whoever guesses the number of an order that is paid or under review learns just that.
    """
    standing = standing_of_order(state, order.order_id)
    word = _word(state, order, standing)
    other = standing.other
    is_guarded = order.key == order.order_id and word in ("paid", "review")

    if word == "resume" and "go" in request.args and request.method == "GET":
        return redirect(other.session_url, 303)

    if is_guarded:
        order, other = replace(order, url=None, thanks_url=None, lines=()), None

    # Why the last try failed, for somebody who is about to try again.
    failed = standing.payment if word == "payable" and not is_guarded else None

    return render(
        state,
        "checkout.html",
        language,
        status_code,
        state=word,
        stale=stale,
        again=AGAIN,
        guarded=is_guarded,
        certainty=standing.certainty.value,
        refused=standing.state is OrderState.REFUSED,
        order=order,
        order_id=order.order_id,
        order_url=order.url,
        closed=order.closed,
        tells_shop=bool(state.handlers.details),
        declines=language.declines(failed.decline_reasons or []) if failed else [],
        lines=lines_of(order, language),
        price=price_of(order, language),
        payment=other,
        fields=fields,
        return_url=other and other.session_id and return_url(other),
    )


def _word(state: AppState, order: Order, standing: Standing) -> str:
    """Return the word for the template: whether the order can be paid, and by which session."""
    if standing.state is OrderState.ELSEWHERE:
        return "paid"

    if standing.state is OrderState.REVIEW:
        return "review"

    if order.closed is not None:
        return "closed"

    payment = standing.other

    if payment is None or payment.session_url is None or payment.held_order_id is None:
        return "payable"

    alive = state.clock() < payment.expires_at
    return "resume" if order.is_asked_by(payment) and alive else "payable"


def _take_form(state: AppState, order: Order, language: Language) -> ResponseReturnValue:
    """Go on to Spayon, if this form came from a page of ours just now; else show the form again."""
    public_url = state.settings.public_url

    # What another site has filled in is not what this payer typed.
    if is_foreign(public_url):
        return _show(state, order, language, read_fields(state, order, language), 403, stale=True)

    fields = read_fields(state, order, language, request.form)

    # A browser without cookies never has a good token: its own word is enough the second time.
    if not (has_good_token() or (AGAIN in request.form and is_own(public_url))):
        return _show(state, order, language, fields, 400, stale=True)

    if any(field.error for field in fields):
        return _show(state, order, language, fields, 422)

    return _pay(state, order, language, fields)


def _pay(
    state: AppState, order: Order, language: Language, fields: list[Field]
) -> ResponseReturnValue:
    """Lead to the payment session of *order*; *fields* have what the payer typed."""
    details = HiddenDict({field.name: field.value for field in fields if field.value})
    typed = HiddenDict(details)

    # The hosted page speaks as this page did, unless the shop has decided on one for all payers.
    if order.language is None and (state.settings.language is None or chosen_by_shop(state)):
        typed["language"] = language.code

    here = url_for(".checkout", order_id=order.key)
    ids = {"account": state.name, "order_id": order.order_id}

    # The shop's function for the language may have written.
    state.storage.commit_earlier_work()

    try:
        payment = state.checkout.start(replace(order, **typed), details)

    except OrderNotPayableError as error:
        # Whoever has guessed a number is not told by which payment its order was paid.
        if error.payment is None or error.payment.session_id is None or order.key == order.order_id:
            return redirect(here, 303)

        return redirect(return_url(error.payment), 303)

    except StillCreatingError:
        # A GET goes on to the payment session, once there is one.
        again = url_for(".checkout", order_id=order.key, go="on")
        return render_error(state, "still_creating", 503, again, order, reload_after=RELOAD)

    except GatewayUnavailableError as error:
        logger.warning("checkout failed: %s", error, extra=ids)
        return render_error(state, "gateway_unavailable", 503, here, order, typed=details)

    except (ConfigError, GatewayError) as error:
        logger.error("checkout failed: %s", error, extra=ids)  # noqa: TRY400  no bug of ours

        # All else is the same for every payer: it is what this one typed, or left out.
        if fields and isinstance(error, RequestRefusedError) and error.status_code in ABOUT_FIELDS:
            return _show(state, order, language, not_accepted(fields, language), 422)

        if isinstance(error, ConfigError | AuthenticationError):
            return render_error(state, "misconfigured", 503, here, order, typed=details)

        return render_error(state, "gateway_unexpected", 502, here, order, typed=details)

    except Exception as error:
        # The shop's `on_details`, perhaps, or the database.
        state.storage.queries.look_again()
        reason = database_trouble(error) or type(error).__name__
        logger.exception("checkout failed: %s", reason, extra=ids)
        return render_error(state, "misconfigured", 503, here, order, typed=details)

    return redirect(payment.session_url or here, 303)
