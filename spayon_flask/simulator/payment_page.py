"""The hosted payment page, where a payer tries cards and no money moves, in the payer's words."""

import json
import math
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from .current import current_gateway
from .gateway import Gateway, SessionOverError
from .sessions import CARDS, PaymentSession, find_card

blueprint = Blueprint("payment_page", __name__)

METHODS = {"visamaster": "Visa, Mastercard", "mir": "Mir", "arca": "ArCa"}

FOLDER = Path(__file__).parent / "words"

#: Languages of the hosted page. Which codes Spayon knows is not documented.
CODES = ("en", "ru", "hy")

#: A space that neither breaks a line nor an amount.
FIXED_SPACE = "\u00a0"

#: Without the dram, whose sign many fonts do not have.
SIGNS = {"USD": "$", "EUR": "€", "RUB": "₽"}


class Words:
    """The words of the hosted page in the language *code*."""

    def __init__(self, code: str) -> None:
        self.code = code
        text = (FOLDER / f"{code}.json").read_text(encoding="utf-8")
        self._words: dict[str, str] = json.loads(text)

    def __call__(self, key: str, **variables: object) -> str:
        """Return the words for *key*, with *variables* put in."""
        return self._words[key].format(**variables)

    def __contains__(self, key: object) -> bool:
        return key in self._words

    def price(self, price: Decimal, currency: str) -> str:
        """Write *price* as people do: 5,000 AMD or 5 000 AMD."""
        whole, _, cents = f"{price.normalize():f}".partition(".")
        separator = "," if self.code == "en" else FIXED_SPACE
        amount = f"{int(whole):,}".replace(",", separator)
        if cents:
            amount += ("." if self.code == "en" else ",") + cents.ljust(2, "0")

        return f"{amount}{FIXED_SPACE}{SIGNS.get(currency, currency)}"


@cache
def words_in(code: str) -> Words:
    """Return the words of one of the languages `CODES`."""
    return Words(code)


def choose_words(language: str | None) -> Words:
    """Return the words for a session's *language*, such as `hy` or `ru-RU`; English if unknown."""
    code = (language or "").replace("_", "-").partition("-")[0].lower()
    return words_in(code if code in CODES else "en")


@blueprint.get("/pay/<session_id>")
def show(session_id: str) -> ResponseReturnValue:
    """Show what is to be paid, and take a card."""
    session = current_gateway().find(session_id)
    if session is None:
        return render_template(
            "simulator/pay_over.html", words=choose_words(None), session=None
        ), 404

    return _page(session)


@blueprint.post("/pay/<session_id>")
def pay(session_id: str) -> ResponseReturnValue:
    """Try the card, or end without paying; then send the payer back to the shop."""
    gateway = current_gateway()
    session = gateway.find(session_id)
    if session is None:
        return render_template(
            "simulator/pay_over.html", words=choose_words(None), session=None
        ), 404

    try:
        if "give_up" in request.form:
            gateway.abandon(session_id, wait=False)
        else:
            card = find_card(request.form.get("number", ""))
            if gateway.attempt(session_id, card) is not None and not session.over:
                return redirect(url_for(".show", session_id=session_id, card=card.key), 303)
    except SessionOverError:
        pass  # A second click; the first one has ended the payment already.

    back = return_address(gateway, session)
    return redirect(back or url_for(".show", session_id=session_id), 303)


@blueprint.get("/pay/<session_id>/back")
def back(session_id: str) -> ResponseReturnValue:
    """End the session of a payer who clicks back, if the gateway is to do so."""
    gateway = current_gateway()
    session = gateway.find(session_id)
    link = cancel_address(gateway, session) if session else None
    if session is None or link is None or gateway.shape.back != "ends the session":
        return redirect(url_for(".show", session_id=session_id), 303)

    with suppress(SessionOverError):
        gateway.abandon(session_id, wait=False)

    return redirect(link, 303)


def cancel_address(gateway: Gateway, session: PaymentSession) -> str | None:
    """Return the shop's `cancel_url`, with what the shape adds to it, if the session has any."""
    return _with_session(session.creation.cancel_url, gateway.shape.cancel_parameter, session)


def _cancel_link(gateway: Gateway, session: PaymentSession) -> str | None:
    if session.creation.cancel_url and gateway.shape.back == "ends the session":
        return url_for(".back", session_id=session.id)

    return cancel_address(gateway, session)


def return_address(gateway: Gateway, session: PaymentSession) -> str | None:
    """Return the shop's `return_url` with the `session_id` added to its query, if it has any."""
    return _with_session(session.creation.return_url, gateway.shape.return_parameter, session)


def _with_session(url: str | None, parameter: str, session: PaymentSession) -> str | None:
    if url is None or not parameter:
        return url

    parts = urlsplit(url)
    added = f"{parameter}={quote(session.id)}"
    return urlunsplit(parts._replace(query=f"{parts.query}&{added}" if parts.query else added))


def _page(session: PaymentSession) -> ResponseReturnValue:
    gateway = current_gateway()
    words = choose_words(session.creation.language)
    if session.over:
        page = "simulator/pay_over.html"
        return render_template(
            page, words=words, session=session, back=return_address(gateway, session)
        )

    key = request.args.get("card")
    remaining = session.expires_at - gateway.clock.now()
    return render_template(
        "simulator/pay.html",
        words=words,
        session=session,
        shop=_shop(session),
        cancel=_cancel_link(gateway, session),
        methods=[METHODS.get(name, name) for name in session.creation.payment_methods],
        cards=CARDS,
        chosen=next((card for card in CARDS if card.key == key), CARDS[0]),
        declined=_declined(words, session),
        left=max(0, math.ceil(remaining / timedelta(seconds=1))),
        scale=gateway.clock.scale,
        until=session.expires_at,
    )


def _declined(words: Words, session: PaymentSession) -> str | None:
    if not session.declines:
        return None

    decline = session.declines[-1]
    key = f"decline_{decline.code}"
    return words(key) if key in words else f"{decline.reason} ({decline.code})"


def _shop(session: PaymentSession) -> str:
    url = session.creation.return_url or session.creation.callback_url or ""
    return urlsplit(url).netloc.rpartition("@")[2]
