"""Story: what happened to one payment, in sentences, in the order in which it happened."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from typing import NamedTuple

from ..declines import translatable
from ..languages import Language
from ..reports import removal_of
from ..storage.outbox import CHANGING
from ..transitions import REVIEW


VERDICTS = {
    "applied": translatable("This decided the payment."),
    "unchanged": translatable("That was known already."),
    "stale": translatable("This came too late and changed nothing."),
    "ignored": translatable("We do not know this word, so nothing was changed."),
    "unknown": translatable("The payment was not known then, so nothing was changed."),
}

#: Why a payment was held back, as a part of a sentence.
HELD_BACK = {
    "second_payment": translatable("the order was paid already"),
    "superseded": translatable("the order had changed"),
    "order_missing": translatable("no order was named"),
    "order_differs": translatable("another order was named"),
    "price_missing": translatable("the amount could not be read"),
    "currency_missing": translatable("the currency could not be read"),
    "price_differs": translatable("another amount was paid"),
    "currency_differs": translatable("another currency was paid"),
    "handler_failed": translatable("the shop’s program failed"),
}

#: What a reason for a review means, and what to do before the decision.
DOUBTS = {
    "second_payment": translatable(
        "The order is paid already by another payment, so the buyer has paid twice. Give this "
        "payment back in Spayon’s panel, then refuse it here."
    ),
    "superseded": translatable(
        "The order was changed after this payment was begun. Compare what was paid with what the "
        "order costs now. If it is not right, give it back in Spayon’s panel and refuse it here."
    ),
    "order_missing": translatable(
        "Spayon did not say which order was paid. Look at the payment in Spayon’s panel, and "
        "accept it if it belongs to this order."
    ),
    "order_differs": translatable(
        "Spayon named another order than the one that was asked for. Look at the payment in "
        "Spayon’s panel before you decide."
    ),
    "price_missing": translatable(
        "Spayon’s report has no amount that can be read. Look in Spayon’s panel how much was paid, "
        "then decide."
    ),
    "currency_missing": translatable(
        "Spayon’s report has no currency that can be read. Look in Spayon’s panel in which "
        "currency it was paid, then decide."
    ),
    "price_differs": translatable(
        "Another amount was paid than was asked for. Agree with the buyer on the difference, or "
        "give the payment back in Spayon’s panel, then decide."
    ),
    "currency_differs": translatable(
        "It was paid in another currency than was asked for. Look in Spayon’s panel what has "
        "arrived, then decide."
    ),
    "handler_failed": translatable(
        "The money has arrived, but the shop’s program has failed for days to record it. Have the "
        "program mended, then accept the payment: the order is then recorded as paid."
    ),
}

#: Two reasons that mean the same to a person.
_SAME_AS = {"price_unreadable": "price_missing", "currency_unreadable": "currency_missing"}

#: A reason that comes from a handler of the shop (`NeedsReview`).
_QUOTED = translatable(
    "The shop’s program held this payment back: “%(reason)s”. Clear that up, then decide."
)


class Event(NamedTuple):
    """A *sentence* about what happened at *moment*; *report* is the callback row, if any.

    *body* is the text of the report, and *removed* says that its exact text is not there any more.
    *again* is True if the report can be handed over again.
    """

    moment: datetime
    sentence: str
    report: Any = None
    body: str = ""
    removed: str = ""
    again: bool = False


def tell(payment: Any, reports: Sequence[Any], language: Language) -> list[Event]:
    """Tell of *payment* and the *reports* about it, in *language*."""
    events = [Event(payment.created_at, _begun(payment, language))]
    of = len(reports)
    events += [
        _reported(payment, report, n, of, language) for n, report in enumerate(reports, start=1)
    ]
    events += _decided(payment, language)

    # What was told at the same moment stays in its order.
    return sorted(events, key=lambda event: event.moment)


def doubt(reason: str | None, language: Language) -> str:
    """Say why a payment is under review, and what to do."""
    reason = reason or ""
    message = DOUBTS.get(_SAME_AS.get(reason, reason))

    if message is None:
        return language.gettext(_QUOTED, reason=reason)

    return language.gettext(message)


def held_back(reason: str | None, language: Language) -> str:
    """Say in a few words why a payment was held back; the shop's own reason as it is."""
    reason = reason or ""
    message = HELD_BACK.get(_SAME_AS.get(reason, reason))
    return reason if message is None else language.gettext(message)


def removed(body: bytes, language: Language) -> str:
    """Return when the exact text of *body* was removed, in a sentence; "" if the text is there."""
    removal = removal_of(body)

    if removal is None:
        return ""

    return language.gettext(
        "The exact text was removed on purpose, on %(day)s. What we read of it has stayed, and the "
        "SHA-256 digest of the text.",
        day=language.date(removal.removed_at),
    )


def _begun(payment: Any, language: Language) -> str:
    _ = language.gettext

    if payment.price is None or payment.product_id is not None:
        sentence = _(
            "The buyer began to pay product %(product)s of Spayon’s panel.",
            product=payment.product_id,
        )

    else:
        sentence = _(
            "The buyer began to pay. Asked for: %(price)s.",
            price=language.price(payment.price, payment.currency),
        )

    if payment.session_id is None:
        sentence += " " + _("Spayon never answered, so there was no payment page.")

    return sentence


def _reported(payment: Any, report: Any, n: int, of: int, language: Language) -> Event:
    _ = language.gettext
    words = {"n": n, "of": of, "status": report.status}

    if report.source == "callback":
        said = _("Report %(n)d of %(of)d, by callback: Spayon says “%(status)s”.", **words)

    else:
        said = _("Report %(n)d of %(of)d, because we asked: Spayon says “%(status)s”.", **words)

    if report.verdict == REVIEW:
        came = _(
            "The payment was held back: %(reason)s.", reason=held_back(payment.review, language)
        )

    else:
        came = _(VERDICTS[report.verdict])

    waits = ""

    if report.dispatch_at is not None:
        waits = " " + _("It waits to be handed over to the shop’s queue.")

    body = bytes(report.body)
    return Event(
        report.received_at,
        f"{said} {came}{waits}",
        report,
        body.decode(errors="replace"),
        removed(body, language),
        report.verdict in CHANGING,
    )


def _decided(payment: Any, language: Language) -> list[Event]:
    _ = language.gettext
    events = []

    if payment.reviewed_at is not None:
        words = {"name": payment.reviewed_by, "reason": payment.reviewed_because}

        if payment.status == "paid":
            sentence = _("%(name)s accepted the payment: “%(reason)s”.", **words)

        else:
            sentence = _("%(name)s refused the payment: “%(reason)s”.", **words)

        events.append(Event(payment.reviewed_at, sentence))

    if payment.refunded_at is not None:
        sentence = _(
            "%(name)s noted that the money was given back in Spayon’s panel: “%(reason)s”.",
            name=payment.refunded_by,
            reason=payment.refunded_because,
        )
        events.append(Event(payment.refunded_at, sentence))

    return events
