"""The checkout page: what is bought, for how much, and on to Spayon."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

from flask import redirect
from flask import request
from flask import url_for
from flask.typing import ResponseReturnValue
from flask.typing import RouteCallable
from werkzeug.exceptions import HTTPException

from ..errors import AuthenticationError
from ..errors import ConfigError
from ..errors import GatewayError
from ..errors import GatewayUnavailableError
from ..errors import OrderNotPayableError
from ..errors import RequestRefusedError
from ..loading import load_order
from ..orders import Order
from ..state import AppState
from ..state import Current
from ..storage.value_errors import is_about_value
from .fields import Field
from .fields import not_accepted
from .fields import read_fields
from .language import page_language
from .pages import price_of
from .pages import render
from .pages import render_error
from .pages import return_url


logger = logging.getLogger(__name__)

#: The answers to a creation that may be about what the payer typed. Which of the two Spayon gives
#: is unknown.
_REFUSED_DETAILS = (400, 422)


def create_checkout(current: Current) -> RouteCallable:
    """Return the view that shows an order, and sends the payer to Spayon."""

    def checkout(order_id: str) -> ResponseReturnValue:
        """Show what is bought (GET); create or reuse the payment session, and go there (POST)."""
        state = current()

        try:
            order = load_order(state.handlers, order_id)

        except HTTPException:
            # What the loader says with `abort`, to a payer who may not see the order, say.
            raise

        except Exception as error:  # noqa: BLE001  whatever a loader raises; it is logged
            return _refuse(state, order_id, error)

        if order is None:
            return render_error(state, "unknown_order", 404)

        if order.key != order_id:
            return redirect(url_for(".checkout", order_id=order.key), 303)

        if request.method == "POST":
            return _pay(state, order)

        return _show(
            state, order, read_fields(order, None, page_language(state.settings, order.language))
        )

    return checkout


def _refuse(state: AppState, key: str, error: Exception) -> ResponseReturnValue:
    """Return the page for an order that could not be loaded, and log why."""
    # A statement that failed leaves a transaction in which nothing more works.
    state.storage.queries.look_again()
    ids = {"account": state.name, "order_key": key}

    if is_about_value(error, key):
        logger.warning("no order has such a key: %s", type(error).__name__, extra=ids)
        return render_error(state, "unknown_order", 404)

    logger.error("the order could not be loaded: %s", error, extra=ids, exc_info=error)
    return render_error(state, "misconfigured", 503, url_for(".checkout", order_id=key))


def _show(
    state: AppState, order: Order, fields: list[Field], status_code: int = 200
) -> ResponseReturnValue:
    language = page_language(state.settings, order.language)
    payment = state.storage.queries.standing(order.order_id)
    return render(
        state,
        "checkout.html",
        language,
        status_code,
        state=_state(state, order, payment),
        order=order,
        price=price_of(order, language),
        payment=payment,
        fields=fields,
        return_url=payment and payment.session_id and return_url(payment),
    )


def _state(state: AppState, order: Order, payment: Any) -> str:
    if payment is None:
        return "payable"

    if payment.status != "pending":
        return str(payment.status)

    alive = payment.session_url is not None and state.clock() < payment.expires_at
    return "resume" if order.is_asked_by(payment) and alive else "payable"


def _pay(state: AppState, order: Order) -> ResponseReturnValue:
    language = page_language(state.settings, order.language)
    fields = read_fields(order, request.form, language)

    if any(field.error for field in fields):
        return _show(state, order, fields, 422)

    details = {field.name: field.value for field in fields if field.value}
    typed: dict[str, Any] = dict(details)

    # The hosted page speaks as this page did, unless the shop has decided on a language.
    if order.language is None and state.settings.language is None:
        typed["language"] = page_language(state.settings, None).code

    here = url_for(".checkout", order_id=order.key)

    ids = {"account": state.name, "order_id": order.order_id}

    try:
        payment = state.checkout.start(replace(order, **typed), details)

    except OrderNotPayableError as error:
        if error.payment.session_id is None:
            return redirect(here, 303)

        return redirect(return_url(error.payment), 303)

    except (ConfigError, AuthenticationError) as error:
        logger.error("checkout is not possible: %s", error, extra=ids)  # noqa: TRY400  a setting
        return render_error(state, "misconfigured", 503, here, order.language)

    except GatewayUnavailableError as error:
        logger.warning("checkout failed: %s", error, extra=ids)
        return render_error(state, "gateway_unavailable", 503, here, order.language)

    except RequestRefusedError as error:
        logger.error("checkout failed: %s", error, extra=ids)  # noqa: TRY400  no bug of ours

        # All else is the same for every payer, but Spayon has not seen these details before.
        if error.status_code in _REFUSED_DETAILS and any(field.value for field in fields):
            return _show(state, order, not_accepted(fields, language), 422)

        return render_error(state, "gateway_unexpected", 502, here, order.language)

    except GatewayError as error:
        logger.error("checkout failed: %s", error, extra=ids)  # noqa: TRY400  no bug of ours
        return render_error(state, "gateway_unexpected", 502, here, order.language)

    except Exception:
        # The shop's `on_details`, perhaps, or the database.
        state.storage.queries.look_again()
        logger.exception("checkout failed", extra=ids)
        return render_error(state, "misconfigured", 503, here, order.language)

    return redirect(payment.session_url or here, 303)
