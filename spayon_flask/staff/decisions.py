"""Decisions: a person's word on a payment or a report, after a page that says what will follow."""

from __future__ import annotations

import logging
import re
from typing import Any
from typing import NamedTuple

from flask import redirect
from flask import request
from flask import url_for
from flask.typing import ResponseReturnValue

from ..errors import HandlerError
from ..errors import ReviewError
from ..reports import Report
from ..reports import read_stored
from .desk import Desk
from .forms import read_key
from .forms import read_reason
from .forms import write_key
from .payments import SHOWN
from .payments import show_payment
from .story import doubt
from .story import removed


logger = logging.getLogger(__name__)


def reviews(desk: Desk) -> ResponseReturnValue:
    """List the payments under review, the oldest first."""
    after = read_key(request.args.get("after", ""))
    found = desk.state.storage.ledger.oldest("review", limit=SHOWN, after=after)
    return desk.page(
        "reviews.html",
        payments=[(each, doubt(each.review, desk.language)) for each in found.rows],
        next_url=found.after and url_for(".reviews", after=write_key(found.after)),
    )


def decide(desk: Desk, payment_id: int) -> ResponseReturnValue:
    """Show what a decision does (GET), or decide (POST)."""
    _ = desk.language.gettext
    payment = desk.state.storage.ledger.find(payment_id)
    decision = request.values.get("decision")

    if payment is None or decision not in ("accept", "refuse"):
        return desk.sorry(404, _("There is no such payment."))

    if payment.status != "review":
        return show_payment(desk, payment, 409, decided(desk, payment))

    if request.method != "POST":
        return _ask_why(desk, payment, decision)

    reason = read_reason(desk.language)

    if reason.error:
        return _ask_why(desk, payment, decision, reason)

    return _settle(desk, payment, accept=decision == "accept", because=reason.text)


def _ask_why(desk: Desk, payment: Any, decision: str, reason: Any = None) -> ResponseReturnValue:
    return desk.page(
        "decide.html",
        422 if reason else 200,
        payment=payment,
        decision=decision,
        reason=reason,
        doubt=doubt(payment.review, desk.language),
    )


def _settle(desk: Desk, payment: Any, *, accept: bool, because: str) -> ResponseReturnValue:
    _ = desk.language.gettext
    storage = desk.state.storage

    try:
        storage.reviews.settle(
            payment.id, accept=accept, by=desk.door.name() or "", because=because, now=desk.now
        )

    except ReviewError as error:
        storage.queries.look_again()
        present = storage.ledger.find(payment.id) or payment
        alert = (
            _in_the_way(desk, payment, error)
            if present.status == "review"
            else decided(desk, present)
        )
        return show_payment(desk, present, 409, alert)

    except HandlerError:
        logger.exception(
            "the desk could not settle a payment",
            extra={"account": desk.state.name, "session_id": payment.session_id},
        )
        alert = _("The shop’s program failed, so nothing was changed. Its log says why.")
        return show_payment(desk, payment, 500, alert)

    done = "accepted" if accept else "refused"
    return redirect(url_for(".payment", payment_id=payment.id, done=done), 303)


def decided(desk: Desk, payment: Any) -> str:
    """Return a sentence: the payment is not under review, and who has decided about it."""
    _ = desk.language.gettext

    if payment.reviewed_at is None:
        return _("This payment is not under review any more.")

    words = {"name": payment.reviewed_by, "when": desk.when(payment.reviewed_at)}

    if payment.status == "paid":
        return _("%(name)s decided on %(when)s: the payment was accepted.", **words)

    return _("%(name)s decided on %(when)s: the payment was refused.", **words)


def _in_the_way(desk: Desk, payment: Any, error: ReviewError) -> str:
    """Say why a payment that is still under review could not be accepted."""
    others = desk.state.storage.queries.attempts(payment.order_id)
    statuses = {each.status for each in others if each.id != payment.id}

    if "paid" in statuses:
        return doubt("second_payment", desk.language)

    if "review" in statuses:
        return desk.language.gettext(
            "Another payment of this order is under review too, and came first. Decide on that one."
        )

    return desk.language.gettext("That is not possible: %(reason)s", reason=str(error))


def refund(desk: Desk, payment_id: int) -> ResponseReturnValue:
    """Note that the money was given back in Spayon's panel, or take such a note back."""
    _ = desk.language.gettext
    notes = desk.state.storage.notes
    payment = desk.state.storage.ledger.find(payment_id)

    if payment is None or payment.status != "paid":
        return desk.sorry(404, _("There is no such payment."))

    if request.method != "POST":
        return desk.page("refund.html", payment=payment, reason=None)

    if request.form.get("action") == "take_back":
        done = "taken_back" if notes.take_back_refund(payment_id) else "nothing"
        return redirect(url_for(".payment", payment_id=payment_id, done=done), 303)

    reason = read_reason(desk.language)

    if reason.error:
        return desk.page("refund.html", 422, payment=payment, reason=reason)

    noted = notes.refunded(payment_id, by=desk.door.name() or "", because=reason.text, now=desk.now)

    if not noted:
        present = desk.state.storage.ledger.find(payment_id) or payment
        alert = _("Somebody was faster: see below who noted it, and why.")
        return show_payment(desk, present, 409, alert)

    return redirect(url_for(".payment", payment_id=payment_id, done="refunded"), 303)


class Unmatched(NamedTuple):
    """A callback *row*, what its report says, and its text; *removed* says if it is not exact."""

    row: Any
    report: Report | None
    body: str
    removed: str


def unknown(desk: Desk) -> ResponseReturnValue:
    """List what nobody could match, newest first."""
    rows = desk.state.storage.notes.unknown(
        limit=SHOWN + 1,
        before_id=_read_id(request.args.get("before", "")),
    )
    more = len(rows) > SHOWN
    return desk.page(
        "unknown.html",
        reports=[_read(row, desk) for row in rows[:SHOWN]],
        next_url=url_for(".unknown", before=rows[SHOWN - 1].id) if more else None,
    )


def seen(desk: Desk, callback_id: int) -> ResponseReturnValue:
    """Note that a report was looked at."""
    _ = desk.language.gettext
    notes = desk.state.storage.notes
    rows = notes.unknown(limit=1, before_id=callback_id + 1)

    if not rows or rows[0].id != callback_id:
        return desk.sorry(404, _("There is no such report, or its payment is known by now."))

    unmatched = _read(rows[0], desk)

    if request.method != "POST" or rows[0].seen_at is not None:
        code = 409 if request.method == "POST" else 200
        return desk.page("seen.html", code, unmatched=unmatched, reason=None)

    reason = read_reason(desk.language)

    if reason.error:
        return desk.page("seen.html", 422, unmatched=unmatched, reason=reason)

    noted = notes.seen(callback_id, by=desk.door.name() or "", because=reason.text, now=desk.now)
    return redirect(url_for(".unknown", done="seen" if noted else "nothing"), 303)


def _read(row: Any, desk: Desk) -> Unmatched:
    body = bytes(row.body)
    text = body.decode(errors="replace")
    return Unmatched(row, read_stored(body), text, removed(body, desk.language))


def _read_id(text: str) -> int | None:
    """Return the id that *text* names, or None: not every number is one."""
    return int(text) if re.fullmatch(r"\d{1,18}", text, re.ASCII) else None
