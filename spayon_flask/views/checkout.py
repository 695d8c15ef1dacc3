"""The checkout page: what is bought, for how much, what the order lacks, and on to Spayon."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from flask import Response, redirect, request, url_for
from flask.typing import ResponseReturnValue, RouteCallable

from .. import errors
from ..domain.languages import Language
from ..domain.orders import MAX_TEXT_LENGTH, Order, has_control_characters
from ..domain.redaction import HiddenDict
from ..state import AppState, Current
from ..storage.database_errors import database_trouble
from . import pages
from .standing import OrderState, Standing, standing_of_order

logger = logging.getLogger(__name__)

#: The answers to a creation that may be about what the payer typed; Spayon's own is unknown.
ABOUT_FIELDS = (400, 422)

#: A field of a form that is shown again, since its token was refused.
AGAIN = "spayon_again"

# As the browsers' own check of type="email", which the payer may not have.
# Compiled when it is first used: a worker that only takes callbacks never does.
_EMAIL = r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+"

#: What a browser asks for if it does not ask for a page.
_NO_PAGE = ("style", "script", "image", "font")

#: Seconds after which the page about another request's payment session goes on by itself.
RELOAD = 3


def create_checkout(current: Current) -> RouteCallable:
    """Return the view that shows an order, and sends the payer to Spayon."""

    def checkout(state: AppState, order_id: str, **_: object) -> ResponseReturnValue:
        """Show what is bought (GET); create or reuse the payment session, and go there (POST)."""
        # A relative link in the shop's frame leads here: no order has a stylesheet.
        if request.headers.get("Sec-Fetch-Dest") in _NO_PAGE:
            return pages.render_error(state, "unknown_order", 404)

        try:
            order = pages.load(state, order_id)

        except pages.UnreadableError:
            return pages.misconfigured(state, order_id)

        if order is None:
            return pages.render_error(state, "unknown_order", 404)

        # What the loader or a `before_request` wrote stays, also if nobody presses the button.
        state.storage.commit_earlier_work()
        page = _Page(state, order, pages.page_language(state, order.language))
        return page.take_form() if request.method == "POST" else page.show(page.fields())

    def away(state: AppState, values: dict[str, Any]) -> Response:
        return pages.misconfigured(state, values["order_id"])

    return pages.surviving(current, checkout, away)


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


class _Page(NamedTuple):
    """The checkout page of *order*."""

    state: AppState
    order: Order
    language: Language

    def fields(self, form: Mapping[str, str] | None = None) -> list[Field]:
        """Return a field for each detail that the order lacks, filled from *form* if there is one.

        None if the shop has set ASK_DETAILS to false.
        """
        if not self.state.settings.ask_details:
            return []

        _ = self.language.gettext
        passed_on = _("It is passed on to Spayon.")
        # Without a function for it the shop keeps nothing of what was typed.
        reached = _("So that you can be reached about this payment. It is passed on to Spayon.")
        hint = reached if self.state.handlers.details else passed_on
        fields = (
            Field("email", _("Email"), hint, "email", "email", "email"),
            Field("full_name", _("Full name"), passed_on, "text", "name", "text"),
        )
        wanted = [each for each in fields if getattr(self.order, each.name) is None]
        return wanted if form is None else [self._filled(each, form) for each in wanted]

    def _filled(self, field: Field, form: Mapping[str, str]) -> Field:
        _ = self.language.gettext
        value = form.get(field.name, "").strip()
        error = None

        if has_control_characters(value):
            # What cannot be shown again is not worth keeping.
            value, error = "", _("Please shorten this, and write it in one line.")

        elif len(value) > MAX_TEXT_LENGTH:
            error = _("Please shorten this, and write it in one line.")

        elif value and field.name == "email" and not re.fullmatch(_EMAIL, value):
            error = _("Please write an email address such as name@example.com.")

        return field._replace(value=value[: MAX_TEXT_LENGTH * 2], error=error)

    def _not_accepted(self, fields: list[Field]) -> list[Field]:
        """Return *fields* after Spayon has refused the order.

        What was typed may be the reason; if nothing was, Spayon may insist on it.
        """
        _ = self.language.gettext
        typed = [field for field in fields if field.value]
        error = _("Spayon did not accept these details. Please correct this, or leave it empty.")

        if not typed:
            error = _("Spayon did not accept the order without this. Please fill it in.")

        to_blame = typed or fields
        return [each._replace(error=error) if each in to_blame else each for each in fields]

    def show(
        self, fields: list[Field], status_code: int = 200, *, stale: bool = False
    ) -> ResponseReturnValue:
        """Return the page; *stale* is true if a form was not taken, and has to be sent again.

        Whoever guesses the number of an order that is paid or under review learns just that.
        """
        state, order, language = self
        standing = standing_of_order(state, order.order_id)
        order_state, other = self._order_state(standing), standing.other
        is_over = order_state in (OrderState.PAID, OrderState.REVIEW)
        is_guarded = is_over and order.key == order.order_id

        if order_state is OrderState.RESUME and "go" in request.args and request.method == "GET":
            return redirect(other.session_url, 303)

        if is_guarded:
            order, other = replace(order, url=None, thanks_url=None, lines=()), None

        # Why the last try failed, for somebody who is about to try again.
        failed = standing.payment if order_state is OrderState.PAYABLE else None
        reasons = failed and failed.decline_reasons

        return pages.render(
            state,
            "checkout.html",
            language,
            status_code,
            state=order_state.value,
            stale=stale,
            guarded=is_guarded,
            refused=standing.state is OrderState.REFUSED,
            order=order,
            order_id=order.order_id,
            order_url=order.url,
            closed=order.closed,
            tells_shop=bool(state.handlers.details),
            declines=language.declines(reasons or []),
            lines=pages.lines_of(order, language),
            price=pages.price_of(order, language),
            payment=other,
            fields=fields,
            return_url=pages.return_url(other),
        )

    def _order_state(self, standing: Standing) -> OrderState:
        """Return whether the order can be paid, and if not, why."""
        if standing.state is OrderState.ELSEWHERE:
            return OrderState.PAID

        if standing.state is OrderState.REVIEW:
            return OrderState.REVIEW

        if self.order.closed is not None:
            return OrderState.CLOSED

        payment = standing.other

        if payment is None or payment.session_url is None or payment.held_order_id is None:
            return OrderState.PAYABLE

        alive = self.state.clock() < payment.expires_at
        can_go_on = alive and self.order.is_asked_by(payment)
        return OrderState.RESUME if can_go_on else OrderState.PAYABLE

    def take_form(self) -> ResponseReturnValue:
        """Go on to Spayon if the form came from a page of ours just now; else show it again."""
        is_foreign = pages.is_foreign(self.state.settings.public_url)

        # What another site has filled in is not what this payer typed.
        if is_foreign:
            return self.show(self.fields(), 403, stale=True)

        fields = self.fields(request.form)

        # A browser without cookies never has a good token: its own word is enough the second time.
        if not (pages.has_good_token() or (AGAIN in request.form and is_foreign is False)):
            return self.show(fields, 400, stale=True)

        return self.show(fields, 422) if any(each.error for each in fields) else self._pay(fields)

    def _pay(self, fields: list[Field]) -> ResponseReturnValue:
        """Lead to the payment session of the order; *fields* have what the payer typed."""
        state, order, language = self
        details = HiddenDict({field.name: field.value for field in fields if field.value})
        typed = HiddenDict(details)

        # The hosted page speaks as this page did, unless the shop has decided on one for all.
        if order.language is None and (
            state.settings.language is None or pages.chosen_by_shop(state)
        ):
            typed["language"] = language.code

        here = url_for(".checkout", order_id=order.key)

        # The shop's function for the language may have written.
        state.storage.commit_earlier_work()

        try:
            payment = state.checkout.start(replace(order, **typed), details)

        except errors.OrderNotPayableError as error:
            # Whoever has guessed a number is not told by which payment its order was paid.
            paid_by = None if order.key == order.order_id else pages.return_url(error.payment)
            return redirect(paid_by or here, 303)

        except errors.StillCreatingError:
            # A GET goes on to the payment session, once there is one.
            go_on = url_for(".checkout", order_id=order.key, go="on")
            reason = "still_creating"
            return pages.render_error(state, reason, 503, go_on, order, reload_after=RELOAD)

        except Exception as error:  # noqa: BLE001  each is logged
            reason, status_code = self._trouble(error)

            # All else is the same for every payer: it is what this one typed, or left out.
            if fields and _is_about_fields(error):
                return self.show(self._not_accepted(fields), 422)

            return pages.render_error(state, reason, status_code, here, order, typed=details)

        return redirect(payment.session_url or here, 303)

    def _trouble(self, error: Exception) -> tuple[str, int]:
        """Log that the checkout failed; return the reason for the error page, and its status."""
        ids = {"account": self.state.name, "order_id": self.order.order_id}

        if isinstance(error, errors.GatewayUnavailableError):
            logger.warning("checkout failed: %s", error, extra=ids)
            return "gateway_unavailable", 503

        if isinstance(error, errors.ConfigError | errors.GatewayError):
            logger.error("checkout failed: %s", error, extra=ids)
            is_ours = isinstance(error, errors.ConfigError | errors.AuthenticationError)
            return ("misconfigured", 503) if is_ours else ("gateway_unexpected", 502)

        # The shop's `on_details`, perhaps, or the database.
        self.state.storage.queries.look_again()
        reason = database_trouble(error) or type(error).__name__
        logger.error("checkout failed: %s", reason, extra=ids, exc_info=error)
        return "misconfigured", 503


def _is_about_fields(error: Exception) -> bool:
    return isinstance(error, errors.RequestRefusedError) and error.status_code in ABOUT_FIELDS
