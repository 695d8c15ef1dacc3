"""Doubts: why a payment is under review, in words for the person who decides about it."""

from __future__ import annotations

from typing import NamedTuple

from .declines import translatable


#: What a reason of ours means, and what to do before the decision.
REASONS = {
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

QUOTED = translatable(
    "The shop’s program held this payment back: “%(reason)s”. Clear that up, then decide."
)


class DoubtText(NamedTuple):
    """A *message* for the catalogues, and the reason of the shop that it quotes, if any."""

    message: str
    reason: str | None = None


def doubt_text(reason: str) -> DoubtText:
    """Choose the sentence for why a payment is under review.

    What is no reason of ours comes from a handler of the shop (`NeedsReview`), and is quoted.
    """
    message = REASONS.get(_SAME_AS.get(reason, reason))
    return DoubtText(QUOTED, reason) if message is None else DoubtText(message)
