"""Reasons of a declined payment, in words for the person who tried to pay."""

import re
from collections.abc import Mapping
from typing import NamedTuple


def translatable(message: str) -> str:
    """Mark *message* for the catalogues, which translate it where it is shown."""
    return message


# Relies on: decline-codes
#: Codes that Spayon's documentation explains, each with what the payer can do about it.
REASONS = {
    "05": translatable(
        "The bank declined the payment and gave no reason. Use another card or ask your bank."
    ),
    "14": translatable(
        "The card number, expiry date or CVV is not right. Check them and try again."
    ),
    "1A": translatable(
        "The bank could not confirm that it was you (3-D Secure). "
        "Try again and confirm the payment as your bank asks."
    ),
}

#: The usual English phrases of ISO 8583, as patterns without regard to case. The list of Spayon's
#: codes is not public, so the text decides, and not the code. The first pattern that fits counts.
PHRASES = {
    r"(in|not )sufficient (funds|balance)|not enough (funds|money)": translatable(
        "There is not enough money on the card. Use another card."
    ),
    r"expired? card|card (has |is )?expired": translatable(
        "The card has expired. Use another card."
    ),
    r"exceeds?\b.*\b(limit|amount|count|frequency)|limit (is |was )?(exceeded|reached)": (
        translatable("The payment is above a limit of the card. Use another card or ask your bank.")
    ),
    # Whoever holds such a card is not told why: the schemes' rules say so. The desk tells it.
    r"\b(lost|stolen)\b|pick.?up (the )?card": REASONS["05"],
    r"do not hono(u)?r|not hono(u)?red": REASONS["05"],
    r"\brisk\b": translatable(
        "The payment was refused by security rules. Use another card or ask your bank."
    ),
    r"\bfraud": translatable(
        "The bank stopped the payment to protect the card. Ask your bank, or use another card."
    ),
    r"restricted|not (permitted|allowed)": translatable(
        "The bank does not allow such a payment with this card. Use another card or ask your bank."
    ),
    r"(invalid|no such|unknown|wrong) card|card number (is )?(invalid|wrong)": REASONS["14"],
    r"(issuer|bank)\b.*\b(unavailable|inoperative|not available|timeout|timed out)": translatable(
        "The bank of the card cannot be reached now. Try again later, or use another card."
    ),
}
WITHOUT_REASON = translatable("The payment was declined, and no reason was given.")
ADVICE = translatable("The payment was declined. Use another card or ask your bank.")
ADVICE_WITH_CODE = translatable(
    "The payment was declined (code %(code)s). Use another card or ask your bank."
)
QUOTED = translatable("Spayon’s reason: %(reason)s")

#: The longest text of the gateway that is shown; more than that is no sentence for a payer.
LONGEST_TEXT = 300


class DeclineText(NamedTuple):
    """A *message* for the catalogues, the gateway's own words to quote after it, and its code."""

    message: str
    reason: str | None = None
    code: str | None = None


def decline_text(decline: Mapping[str, object]) -> DeclineText:
    """Choose the sentence for one entry of a report's `declineReasons`.

    A documented code has a sentence of its own. Any other is known by its text: a usual phrase has
    a sentence too. What nobody has translated is an advice, with Spayon's words and code after it.
    """
    code = str(decline.get("responseCode") or "").strip().upper()

    if code in REASONS:
        return DeclineText(REASONS[code])

    text = decline.get("responseReasonEn")
    words = " ".join(text[: LONGEST_TEXT * 2].split()) if isinstance(text, str) else ""

    if not words:
        return DeclineText(WITHOUT_REASON)

    for pattern, message in PHRASES.items():
        if re.search(pattern, words[:LONGEST_TEXT], re.IGNORECASE):
            return DeclineText(message)

    quoted = words[:LONGEST_TEXT]
    is_code = re.fullmatch(r"[A-Z0-9-]{1,8}", code) is not None
    return DeclineText(ADVICE_WITH_CODE, quoted, code) if is_code else DeclineText(ADVICE, quoted)
