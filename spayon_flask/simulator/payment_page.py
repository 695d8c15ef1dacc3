"""The hosted payment page, where a payer tries cards and no money moves."""

import math
from datetime import timedelta
from urllib.parse import quote
from urllib.parse import urlsplit
from urllib.parse import urlunsplit

from flask import Blueprint
from flask import redirect
from flask import render_template
from flask import request
from flask import url_for
from flask.typing import ResponseReturnValue

from .cards import CARDS
from .cards import find_card
from .current import current_gateway
from .gateway import SessionOverError
from .languages import Words
from .languages import choose_words
from .sessions import PaymentSession


blueprint = Blueprint("payment_page", __name__)

METHODS = {"visamaster": "Visa, Mastercard", "mir": "Mir", "arca": "ArCa"}


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
            if gateway.attempt(session_id, card) is not None:
                return redirect(url_for(".show", session_id=session_id, card=card.key), 303)
    except SessionOverError:
        pass  # A second click: the payment is where the first one has brought it.

    back = return_address(session)
    return redirect(back or url_for(".show", session_id=session_id), 303)


def return_address(session: PaymentSession) -> str | None:
    """Return the shop's `return_url` with the `session_id` added to its query, if it has any."""
    if session.creation.return_url is None:
        return None

    parts = urlsplit(session.creation.return_url)
    added = f"session_id={quote(session.id)}"
    return urlunsplit(parts._replace(query=f"{parts.query}&{added}" if parts.query else added))


def _page(session: PaymentSession) -> ResponseReturnValue:
    words = choose_words(session.creation.language)
    if session.over:
        page = "simulator/pay_over.html"
        return render_template(page, words=words, session=session, back=return_address(session))

    key = request.args.get("card")
    remaining = session.expires_at - current_gateway().clock.now()
    return render_template(
        "simulator/pay.html",
        words=words,
        session=session,
        shop=_shop(session),
        methods=[METHODS.get(name, name) for name in session.creation.payment_methods],
        cards=CARDS,
        chosen=next((card for card in CARDS if card.key == key), CARDS[0]),
        declined=_declined(words, session),
        minutes=math.ceil(remaining / timedelta(minutes=1)),
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
