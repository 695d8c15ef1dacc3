"""Decisions: a person's word on a payment or a report, after a page that says what will follow."""

from __future__ import annotations

import logging
import re
from decimal import Decimal
from typing import Any, NamedTuple

from flask import request, url_for
from flask.typing import ResponseReturnValue

from ..domain.languages import Language
from ..domain.money import plain, read_price
from ..domain.orders import has_control_characters
from ..domain.reports import Report, read_stored
from ..errors import HandlerError, ReviewError
from ..storage.decisions import left_of, may_be_refunded
from ..storage.ledger import Filter
from .desk import Desk, SorryError
from .payments import SHOWN, choices, is_paid, read_key, show_payment, write_key

logger = logging.getLogger(__name__)

#: So long may a reason be: it is read in a list.
LONGEST = 1000


class Reason(NamedTuple):
    """What was typed, and what is wrong with it."""

    text: str
    error: str | None = None


def read_reason(language: Language) -> Reason:
    """Return the reason in the form that was sent."""
    # Browsers send the lines of a text area apart.
    text = " ".join(request.form.get("reason", "").split())

    if not text:
        return Reason("", language.gettext("Please write why: it is kept with the payment."))

    if has_control_characters(text):
        return Reason("", language.gettext("Please write it in plain letters."))

    if len(text) > LONGEST:
        return Reason(
            text[: LONGEST * 2],
            language.gettext("Please shorten this to %(n)d letters.", n=LONGEST),
        )

    return Reason(text)


def read_amount(text: str) -> Decimal | None:
    """Return the amount that was typed, such as `1 000,50`, or None if it is none."""
    typed = re.sub(r"\s", "", text).replace(",", ".")
    return read_price(typed)


def reviews(desk: Desk) -> ResponseReturnValue:
    """List the payments under review, the oldest first."""
    after = read_key(request.args.get("after", ""))
    under_review = Filter(status="review")
    ledger = desk.state.storage.ledger
    found = ledger.page(under_review, limit=SHOWN, after=after, oldest_first=True)
    return desk.page(
        "reviews.html",
        payments=found.payments,
        next_url=found.after and url_for(".reviews", after=write_key(found.after)),
    )


def decide(desk: Desk, payment_id: int) -> ResponseReturnValue:
    """Show what a decision does (GET), or decide (POST)."""
    payment = desk.payment(payment_id)
    decision = request.values.get("decision")
    asks = request.method != "POST"

    if payment.status != "review":
        message = _decided(desk, payment)

        if asks:
            return desk.go("payment", message, payment_id=payment_id)

        return show_payment(desk, payment, 409, message)

    others = desk.others(payment)

    if decision not in choices(payment, others) or (asks and not desk.door.may_write()):
        return desk.go("payment", desk.gettext("Nothing was decided."), payment_id=payment_id)

    reason = None if asks else read_reason(desk.language)

    if reason is None or reason.error:
        return desk.page(
            "decide.html",
            422 if reason else 200,
            payment=payment,
            decision=decision,
            order_is_paid=is_paid(others),
            reason=reason,
        )

    return _settle(desk, payment, accept=decision == "accept", because=reason.text)


def _settle(desk: Desk, payment: Any, *, accept: bool, because: str) -> ResponseReturnValue:
    _ = desk.gettext

    try:
        desk.state.storage.decisions.settle(
            payment.id, accept=accept, by=desk.person, because=because, now=desk.now
        )

    except ReviewError as error:
        desk.state.storage.queries.look_again()
        present = desk.payment(payment.id)
        alert = (
            _in_the_way(desk, present, error)
            if present.status == "review"
            else _decided(desk, present)
        )
        return show_payment(desk, present, 409, alert)

    except HandlerError:
        logger.exception(
            "the desk could not settle a payment",
            extra={"account": desk.state.name, "session_id": payment.session_id},
        )
        alert = _("The shop’s program failed, so nothing was changed. Its log says why.")
        return show_payment(desk, payment, 500, alert)

    said = (
        _("The payment is accepted, and the shop’s program has recorded the order as paid.")
        if accept
        else _("The payment is refused. This does not refund the buyer: do that in Spayon’s panel.")
    )
    return desk.go("payment", said, payment_id=payment.id)


def _decided(desk: Desk, payment: Any) -> str:
    """Return a sentence: the payment is not under review, and who has decided about it."""
    _ = desk.gettext

    if payment.reviewed_at is None:
        return _("This payment is not under review any more.")

    words = {"name": payment.reviewed_by, "when": desk.when(payment.reviewed_at)}
    said = (
        _("%(name)s decided on %(when)s: the payment was accepted.", **words)
        if payment.status == "paid"
        else _("%(name)s decided on %(when)s: the payment was refused.", **words)
    )

    if request.method != "POST" or payment.reviewed_by == desk.person:
        return said

    return f"{said} {_('Your decision was not recorded.')}"


def _in_the_way(desk: Desk, payment: Any, error: ReviewError) -> str:
    """Say why a payment that is still under review could not be accepted."""
    statuses = {each.status for each in desk.others(payment)}

    if "paid" in statuses:
        return desk.gettext("Nothing was decided.")

    if "review" in statuses:
        return desk.gettext(
            "Another payment of this order is under review too, and came first. Decide on that one."
        )

    return desk.gettext("That is not possible: %(reason)s", reason=str(error))


def refund(desk: Desk, payment_id: int) -> ResponseReturnValue:
    """Note that money was given back in Spayon's panel, or take such a note back."""
    _ = desk.gettext
    decisions = desk.state.storage.decisions
    payment = desk.payment(payment_id)

    if not may_be_refunded(payment) or not desk.door.may_write():
        said = _("No refund can be noted for this payment.")
        return desk.go("payment", said, payment_id=payment_id)

    if request.method != "POST":
        return _ask_refund(desk, payment)

    if request.form.get("action") == "take_back":
        taken = decisions.take_back_refund(payment_id, by=desk.person, now=desk.now)
        said = _("The note of the refund is taken back.") if taken else desk.nothing
        return desk.go("payment", said, payment_id=payment_id)

    reason = read_reason(desk.language)
    typed = request.form.get("amount", "").strip()
    amount = read_amount(typed)
    left = left_of(payment)
    wrong = None

    if typed and left is not None and (amount is None or amount > left):
        most = desk.money(left, payment.reported_currency)
        wrong = _("Please write an amount of at most %(amount)s.", amount=most)

    if reason.error or wrong:
        return _ask_refund(desk, payment, 422, reason, wrong)

    seen = read_amount(request.form.get("seen", "")) or Decimal(0)

    try:
        decisions.refund(
            payment_id, amount=amount, seen=seen, by=desk.person, because=reason.text, now=desk.now
        )

    except ReviewError:
        desk.state.storage.queries.look_again()
        alert = _("Somebody was faster: see below who noted it, and why.")
        return show_payment(desk, desk.payment(payment_id), 409, alert)

    return desk.go("payment", _("The refund is noted."), payment_id=payment_id)


def _ask_refund(
    desk: Desk,
    payment: Any,
    code: int = 200,
    reason: Reason | None = None,
    wrong: str | None = None,
) -> ResponseReturnValue:
    left, currency = left_of(payment), payment.reported_currency
    return desk.page(
        "refund.html",
        code,
        payment=payment,
        reason=reason,
        wrong=wrong,
        left=None if left is None else plain(left),
        left_said=desk.money(left, currency),
        given_back=desk.money(payment.refunded_price, currency),
        is_open=left > 0 if left is not None else payment.refunded_at is None,
        typed=request.form.get("amount", ""),
    )


class Unmatched(NamedTuple):
    """A callback *row*, what its report says, and its text."""

    row: Any
    report: Report | None
    body: str


def unknown(desk: Desk) -> ResponseReturnValue:
    """List what nobody could match, newest first."""
    before = request.args.get("before", "")
    # Not every number is an id.
    before_id = int(before) if re.fullmatch(r"\d{1,18}", before, re.ASCII) else None
    rows = desk.state.storage.queries.unknown(limit=SHOWN + 1, before_id=before_id)
    more = len(rows) > SHOWN
    return desk.page(
        "unknown.html",
        reports=[_read(row) for row in rows[:SHOWN]],
        next_url=url_for(".unknown", before=rows[SHOWN - 1].id) if more else None,
    )


def seen(desk: Desk, callback_id: int) -> ResponseReturnValue:
    """Note that a report was looked at."""
    storage = desk.state.storage
    row = storage.queries.find_unknown(callback_id)

    if row is None:
        raise SorryError(
            404, desk.gettext("There is no such report, or its payment is known by now.")
        )

    posted = request.method == "POST"
    reason = read_reason(desk.language) if posted and row.seen_at is None else None

    if reason is None or reason.error:
        code = 422 if reason else 409 if posted else 200
        return desk.page("seen.html", code, unmatched=_read(row), reason=reason)

    noted = storage.decisions.seen(callback_id, by=desk.person, because=reason.text, now=desk.now)
    said = desk.gettext("The report is marked as checked.") if noted else desk.nothing
    return desk.go("unknown", said)


def _read(row: Any) -> Unmatched:
    body = bytes(row.body)
    return Unmatched(row, read_stored(body), body.decode(errors="replace"))
