"""Desk: what every page of the staff has in common."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import date, datetime, timezone, tzinfo
from decimal import Decimal
from functools import cached_property
from secrets import token_bytes
from typing import Any

from flask import Response, current_app, flash, redirect, request, url_for
from itsdangerous import BadSignature, URLSafeTimedSerializer
from werkzeug.wrappers import Response as AnyResponse

from ..domain.exports import STATUS_WORDS, amount_of, status_word, zone_name
from ..state import AppState
from ..storage.ledger import Filter
from ..views.pages import (
    csrf_protect,
    has_good_token,
    is_foreign,
    page_language,
    price_of,
    render,
)
from .door import Door

#: A page may lie open for so many seconds.
MAX_AGE = 12 * 3600


class SorryError(Exception):
    """Nothing can be done: the page says *message* instead, with this status code."""

    def __init__(self, status_code: int, message: str) -> None:
        super().__init__(message)
        self.status_code = status_code


class Desk:
    """One request of a person who may come in: the app's *state*, the language and the time."""

    def __init__(self, state: AppState, door: Door) -> None:
        self.state = state
        self.door = door
        self.language = page_language(state, None)
        self.gettext = self.language.gettext
        self.now = state.clock()

    @property
    def zone(self) -> tzinfo:
        """The shop's zone."""
        return self.language.zone or timezone.utc

    @property
    def today(self) -> date:
        """The present day in the shop's zone."""
        return self.now.astimezone(self.zone).date()

    @cached_property
    def person(self) -> str:
        """The name of the person who writes, which `check_form` has made sure of."""
        return self.door.name()

    def when(self, moment: datetime) -> str:
        """Write a moment with its day."""
        return f"{self.language.date(moment)}, {self.language.time(moment)}"

    def day(self, day: date) -> str:
        """Write a day of the shop's calendar."""
        return self.language.date(datetime(day.year, day.month, day.day, 12, tzinfo=self.zone))

    def asked(self, payment: Any) -> str:
        """Write the price that was asked for."""
        return price_of(payment, self.language) or self.gettext("Spayon’s price")

    def taken(self, payment: Any) -> str:
        """Write what Spayon took, or what was asked for."""
        price, currency = amount_of(payment)

        if price is not None and currency is not None:
            return self.language.price(price, currency)

        is_paid = payment.paid_at is not None
        return self.gettext("amount cannot be read") if is_paid else self.asked(payment)

    def money(self, amount: Decimal | None, currency: str | None) -> str:
        """Write a sum; "" if there is none."""
        return "" if amount is None else self.language.price(amount, currency or "?")

    def status(self, payment: Any) -> str:
        """Return in a word or two how a payment stands."""
        return status_word(payment, self.language)

    def word(self, status: str) -> str:
        """Return the word for a status, or Spayon's own if nobody knows it."""
        return self.gettext(STATUS_WORDS.get(status, status))

    def reported(self, status: str) -> str:
        """Return a status as Spayon says it, which is an English word."""
        return status if self.language.code == "en" else self.word(status)

    def payment(self, payment_id: int) -> Any:
        """Return the payment with this id; if there is none, the page says so."""
        payment = self.state.storage.ledger.find(payment_id)

        if payment is None:
            raise SorryError(404, self.gettext("There is no such payment."))

        return payment

    def others(self, payment: Any) -> Sequence[Any]:
        """Return the other payments of an order."""
        attempts = self.state.storage.queries.attempts(payment.order_id)
        return [each for each in attempts if each.id != payment.id]

    def check_form(self) -> AnyResponse | None:
        """Return None if the form that was sent counts, or the shop's own answer.

        The form must come from a page of ours, and from somebody who may write and has a name.
        """
        _ = self.gettext
        answer = self.door.check_write()

        if isinstance(answer, AnyResponse):
            return answer

        if not answer:
            raise SorryError(403, _("You may look at payments, but not decide about them."))

        if not self.person:
            raise SorryError(403, _("The shop does not say who you are, so nothing was changed."))

        if is_foreign(self.state.settings.public_url) or not self._has_good_token():
            raise SorryError(
                400, _("This form is too old, or not from this page. Go back, load the page anew.")
            )

        return None

    def token(self) -> str:
        """Return a token for a form, so that no other page can have the form sent.

        If the app has Flask-WTF's CSRFProtect, it is its own; else the person's name, signed.
        """
        if csrf_protect() is not None:
            return str(current_app.jinja_env.globals["csrf_token"]())  # type: ignore[operator]  # theirs

        return str(self._signer().dumps(self.person))

    def _has_good_token(self) -> bool:
        if csrf_protect() is not None:
            return has_good_token()

        with suppress(BadSignature):
            token = request.form.get("csrf_token", "")
            return bool(self._signer().loads(token, max_age=MAX_AGE) == self.person)

        return False

    def _signer(self) -> URLSafeTimedSerializer:
        # A vendor who has gone has no secret. A key that nobody knows takes no form.
        newest = current_app.secret_key or self.state.settings.client_secret or token_bytes()
        # Flask's own order: the newest key signs, every key is good to read.
        keys = [*(current_app.config.get("SECRET_KEY_FALLBACKS") or ()), newest]
        return URLSafeTimedSerializer(keys, salt=f"spayon-staff/{self.state.name}")

    def page(self, template: str, status_code: int = 200, **context: Any) -> Response:
        """Return the page *template*."""
        may_write = self.door.may_write()
        waiting = self.state.storage.ledger.count(Filter(), "review")
        context |= {"may_write": may_write, "waiting": waiting, "token": self.token}
        return self._render(template, status_code, context)

    def go(self, endpoint: str, message: str, **values: Any) -> AnyResponse:
        """Lead on to a page of the desk, which says *message* once."""
        # Flask keeps a message in its session, which takes a key.
        if current_app.secret_key:
            flash(message)

        return redirect(url_for(f".{endpoint}", **values), 303)

    @property
    def nothing(self) -> str:
        """Say that a form which was sent changed nothing."""
        return self.gettext("Nothing was changed: it was done already, or it is not possible.")

    def outage(self) -> Response:
        """Return the page for a database that fails; neither it nor the shop is asked anything."""
        message = self.gettext(
            "The database gives no usable answer just now. Try again in a minute. If you have sent "
            "a form, look first whether it was recorded. If this page stays, have somebody look "
            "into the shop’s log."
        )
        return self._render("sorry.html", 503, {"message": message})

    def _render(self, template: str, status_code: int, context: dict[str, Any]) -> Response:
        language = self.language
        context |= {"ngettext": language.ngettext, "zone_name": zone_name(language)}
        context |= {"vendor": self.state.vendor, "desk": self}
        return render(self.state, f"staff/{template}", language, status_code, **context)
