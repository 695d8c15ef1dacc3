"""The checkout page: what is bought, for how much, what the order lacks, and on to Spayon."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any
from typing import NamedTuple

from flask import Response
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
from ..handlers import load_order
from ..hidden import HiddenDict
from ..languages import Language
from ..money import plain
from ..orders import MAX_TEXT_LENGTH
from ..orders import Order
from ..orders import OrderLine
from ..orders import has_control_characters
from ..state import AppState
from ..state import Current
from ..storage.database_errors import database_trouble
from ..storage.database_errors import is_about_value
from .pages import chosen_by_shop
from .pages import page_language
from .pages import price_of
from .pages import render
from .pages import render_error
from .pages import return_url
from .pages import surviving
from .standing import Standing
from .standing import standing_of


logger = logging.getLogger(__name__)

#: The answers to a creation that may be about what the payer typed; Spayon's own is unknown.
_REFUSED_DETAILS = (400, 422)

# As the browsers' own check of type="email", which the payer may not have.
# Compiled when it is first used: a worker that only takes callbacks never does.
_EMAIL = r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+"


def create_checkout(current: Current) -> RouteCallable:
    """Return the view that shows an order, and sends the payer to Spayon."""

    def checkout(order_id: str, **_: object) -> ResponseReturnValue:
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

        return _show(state, order, read_fields(state, order, page_language(state, order.language)))

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
        logger.warning("no order has such a key: %s", type(error).__name__, extra=ids)
        return render_error(state, "unknown_order", 404)

    logger.error("the order could not be loaded: %s", error, extra=ids, exc_info=error)
    return render_error(state, "misconfigured", 503, url_for(".checkout", order_id=key))


def _show(
    state: AppState, order: Order, fields: list[Field], status_code: int = 200
) -> ResponseReturnValue:
    language = page_language(state, order.language)
    standing = standing_of(state, order.order_id)
    other = standing.other
    return render(
        state,
        "checkout.html",
        language,
        status_code,
        state=_word(state, order, standing),
        sure=False,
        reached=standing.reached,
        recorded=standing.recorded,
        closed=standing.state == "closed",
        order=order,
        order_id=order.order_id,
        order_url=order.url,
        lines=_lines(order, language),
        price=price_of(order, language),
        payment=other,
        fields=fields,
        return_url=other and other.session_id and return_url(other),
    )


def _word(state: AppState, order: Order, standing: Standing) -> str:
    """Return the word for the template: whether the order can be paid, and by which session."""
    if standing.state in ("elsewhere", "review"):
        return "paid" if standing.state == "elsewhere" else "review"

    payment = standing.other

    if payment is None or payment.session_url is None or payment.held_order_id is None:
        return "payable"

    alive = state.clock() < payment.expires_at
    return "resume" if order.is_asked_by(payment) and alive else "payable"


def _lines(order: Order, language: Language) -> list[dict[str, Any]]:
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


def _pay(state: AppState, order: Order) -> ResponseReturnValue:
    language = page_language(state, order.language)
    fields = read_fields(state, order, language, request.form)

    if any(field.error for field in fields):
        return _show(state, order, fields, 422)

    details = HiddenDict({field.name: field.value for field in fields if field.value})
    typed = HiddenDict(details)

    # The hosted page speaks as this page did, unless the shop has decided on one for all payers.
    if order.language is None and (state.settings.language is None or chosen_by_shop(state)):
        typed["language"] = language.code

    here = url_for(".checkout", order_id=order.key)
    ids = {"account": state.name, "order_id": order.order_id}

    # The loader may have written, too.
    state.storage.commit_earlier_work()

    try:
        payment = state.checkout.start(replace(order, **typed), details, was_loaded=True)

    except OrderNotPayableError as error:
        if error.payment.session_id is None:
            return redirect(here, 303)

        return redirect(return_url(error.payment), 303)

    except (ConfigError, AuthenticationError) as error:
        logger.error("checkout is not possible: %s", error, extra=ids)  # noqa: TRY400  a setting
        return render_error(state, "misconfigured", 503, here, order)

    except GatewayUnavailableError as error:
        logger.warning("checkout failed: %s", error, extra=ids)
        return render_error(state, "gateway_unavailable", 503, here, order)

    except RequestRefusedError as error:
        logger.error("checkout failed: %s", error, extra=ids)  # noqa: TRY400  no bug of ours

        # All else is the same for every payer: it is what this one typed, or left out.
        if error.status_code in _REFUSED_DETAILS and fields:
            return _show(state, order, not_accepted(fields, language), 422)

        return render_error(state, "gateway_unexpected", 502, here, order)

    except GatewayError as error:
        logger.error("checkout failed: %s", error, extra=ids)  # noqa: TRY400  no bug of ours
        return render_error(state, "gateway_unexpected", 502, here, order)

    except Exception as error:
        # The shop's `on_details`, perhaps, or the database.
        state.storage.queries.look_again()
        reason = database_trouble(error) or type(error).__name__
        logger.exception("checkout failed: %s", reason, extra=ids)
        return render_error(state, "misconfigured", 503, here, order)

    return redirect(payment.session_url or here, 303)


class Field(NamedTuple):
    """A form field: its texts, what the payer typed, and what is wrong with that, if anything.

    None is required, since it is unknown what Spayon refuses to do without.
    """

    name: str
    label: str
    hint: str
    type: str
    autocomplete: str
    inputmode: str
    value: str = ""
    error: str | None = None

    def __repr__(self) -> str:
        return f"Field({self.name!r})"

    def __sentry_repr__(self) -> str:
        return repr(self)


def read_fields(
    state: AppState, order: Order, language: Language, form: Mapping[str, str] | None = None
) -> list[Field]:
    """Return a field for each detail that *order* lacks, filled from *form* if there is one.

    None if the shop has set ASK_DETAILS to false.
    """
    if not state.settings.ask_details:
        return []

    _ = language.gettext
    receipt = _("So that you can be reached about this payment. It is passed on to Spayon.")
    fields = [
        Field("email", _("Email"), receipt, "email", "email", "email"),
        Field("full_name", _("Full name"), _("It is passed on to Spayon."), "text", "name", "text"),
    ]
    wanted = [field for field in fields if getattr(order, field.name) is None]
    return wanted if form is None else [_fill(field, form, language) for field in wanted]


def not_accepted(fields: list[Field], language: Language) -> list[Field]:
    """Return *fields* after Spayon has refused the order.

    What was typed may be the reason; if nothing was, Spayon may insist on it.
    """
    _ = language.gettext
    error = _("Spayon did not accept these details. Please correct this, or leave it empty.")
    wanted = _("Spayon did not accept the order without this. Please fill it in.")

    if not any(field.value for field in fields):
        return [field._replace(error=wanted) for field in fields]

    return [field._replace(error=error) if field.value else field for field in fields]


def _fill(field: Field, form: Mapping[str, str], language: Language) -> Field:
    value = form.get(field.name, "").strip()
    return field._replace(
        # What cannot be shown again is not worth keeping.
        value="" if has_control_characters(value) else value[: MAX_TEXT_LENGTH * 2],
        error=_error(field, value, language) if value else None,
    )


def _error(field: Field, value: str, language: Language) -> str | None:
    _ = language.gettext

    if len(value) > MAX_TEXT_LENGTH or has_control_characters(value):
        return _("Please shorten this, and write it in one line.")

    if field.name == "email" and not re.fullmatch(_EMAIL, value):
        return _("Please write an email address such as name@example.com.")

    return None
