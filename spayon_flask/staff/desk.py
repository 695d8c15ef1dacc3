"""Desk: who may come in, and what every page of the staff has in common."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import date
from datetime import datetime
from datetime import timezone
from datetime import tzinfo
from decimal import Decimal
from typing import Any

from flask import Response
from flask import abort
from flask import current_app
from flask import make_response
from flask import render_template
from flask import request
from flask import url_for
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from ..errors import RegistrationError
from ..exports import amount_of
from ..exports import status_word
from ..exports import zone_name
from ..handlers import check_handler
from ..orders import MAX_TEXT_LENGTH
from ..orders import has_control_characters
from ..state import AppState
from ..views.pages import page_language
from .forms import Tokens


logger = logging.getLogger(__name__)

#: True lets the present person in. A response, such as a redirect to the login, is sent instead of
#: our page; all else is refused. The function may also `abort`.
Allowed = Callable[[], object]

#: Returns the name of the present person.
Who = Callable[[], str]

#: What a page says after a redirect: the URL names it, so that it can say nothing else.
DONE = ("accepted", "refused", "refunded", "taken_back", "seen", "handed_over", "busy", "nothing")


class Door:
    """Ask the shop's functions on every request; in doubt the door stays shut."""

    def __init__(self, allowed: Allowed, may_settle: Allowed | None, who: Who | None) -> None:
        if may_settle is not None and who is None:
            raise RegistrationError(
                "staff: give who= beside may_settle=, a function that returns the name of the "
                "present person: it is kept with each decision"
            )

        named = {"allowed": allowed, "may_settle": may_settle, "who": who}

        for name, function in named.items():
            if function is None and name != "allowed":
                continue

            if not callable(function):
                raise RegistrationError(
                    f"staff: {name}= takes a function without arguments, not {function!r}"
                )

            check_handler(f"staff({name}=)", function, arguments=0)

        self._allowed = allowed
        self._may_settle = may_settle
        self._who = who

    def check(self) -> AnyResponse | None:
        """Return None for who may come in, or the shop's own answer; anybody else gets a 404."""
        answer = self._answer("allowed", self._allowed)

        if answer is False:
            abort(404)

        return None if answer is True else answer

    def check_write(self) -> AnyResponse | bool:
        """Return True for who may write, or the shop's own answer, or False."""
        return self._may_settle is not None and self._answer("may_settle", self._may_settle)

    def may_write(self) -> bool:
        """Return True if the present person may write, for pages that offer that or do not."""
        try:
            return self.check_write() is True

        except HTTPException:  # the shop's function aborts
            return False

    def _answer(self, name: str, function: Allowed) -> AnyResponse | bool:
        answer = function()

        if answer is True or isinstance(answer, AnyResponse):
            return answer

        # An object that is merely true may be a mistake, such as a pair of text and status.
        if answer:
            logger.error(
                "staff: %s returned %s, which lets nobody in: return True or False",
                name,
                type(answer).__name__,
            )

        return False

    def name(self) -> str | None:
        """Return the name of the present person, or None if the shop does not tell it."""
        name = self._who() if self._who is not None else None

        if not isinstance(name, str) or has_control_characters(name):
            return None

        return name.strip()[:MAX_TEXT_LENGTH] or None


class Desk:
    """One request of a person who may come in: the app's *state*, the language and the time."""

    def __init__(self, state: AppState, door: Door) -> None:
        self.state = state
        self.door = door
        self.language = page_language(state, None)
        self.now = state.clock()
        secret: Any = current_app.secret_key or state.settings.client_secret
        self.tokens = Tokens(secret, state.name)

    @property
    def zone(self) -> tzinfo:
        """The shop's zone."""
        return self.language.zone or timezone.utc

    @property
    def today(self) -> date:
        """The present day in the shop's zone."""
        return self.now.astimezone(self.zone).date()

    def when(self, moment: datetime) -> str:
        """Write a moment with its day."""
        return f"{self.language.date(moment)}, {self.language.time(moment)}"

    def day(self, day: date) -> str:
        """Write a day of the shop's calendar."""
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=self.zone)
        return self.language.date(noon)

    def asked(self, payment: Any) -> str:
        """Write the price that was asked for."""
        if payment.price is None or payment.currency is None:
            return self.language.gettext("Spayon’s price")

        return self.language.price(payment.price, payment.currency)

    def taken(self, payment: Any) -> str:
        """Write what Spayon took, or what was asked for."""
        price, currency = amount_of(payment)

        if price is None or currency is None:
            return self.asked(payment)

        return self.language.price(price, currency)

    def money(self, amount: Decimal, currency: str | None) -> str:
        """Write a sum."""
        return self.language.price(amount, currency or "?")

    def status(self, payment: Any) -> str:
        """Return in a word or two how a payment stands."""
        return status_word(payment, self.language)

    def page(self, template: str, status_code: int = 200, **context: Any) -> Response:
        """Return the page *template*, which no cache keeps, no robot lists and no frame holds."""
        settings = self.state.settings
        done = request.args.get("done", "")
        response = make_response(
            render_template(
                f"spayon/staff/{template}",
                desk=self,
                language=self.language,
                _=self.language.gettext,
                ngettext=self.language.ngettext,
                zone_name=zone_name(self.language),
                token=self.tokens.make,
                may_write=self.door.may_write(),
                shop_name=settings.shop_name_for(self.language.code) or request.host,
                shop_url=settings.shop_url_for(self.language.code) or request.root_path + "/",
                simulated=settings.simulated,
                done=done if done in DONE else None,
                **context,
            ),
            status_code,
        )
        self.tokens.keep(response, url_for(".today"))
        return guarded(response)

    def sorry(self, status_code: int, message: str) -> Response:
        """Return a page that says in a sentence what is wrong."""
        return self.page("sorry.html", status_code, message=message)


def guarded(response: Response) -> Response:
    """Return *response* with the headers of everything that the desk answers."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Robots-Tag"] = "noindex"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
