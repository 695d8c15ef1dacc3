"""Reasons of a declined payment, in words for the person who tried to pay."""

from collections.abc import Mapping


def translatable(message: str) -> str:
    """Mark *message* for the catalogues, which translate it where it is shown."""
    return message


#: Codes that Spayon's documentation explains, each with what the payer can do about it.
REASONS = {
    "05": translatable(
        "The bank declined the payment and gave no reason. Try another card or ask your bank."
    ),
    "14": translatable(
        "The card number, expiry date or CVV is not right. Check them and try again."
    ),
    "1A": translatable(
        "The bank could not confirm that it was you (3-D Secure). "
        "Try again and confirm the payment as your bank asks."
    ),
}
WITHOUT_REASON = translatable("The payment was declined, and no reason was given.")

#: The longest text of the gateway that is shown; more than that is no sentence for a payer.
LONGEST_TEXT = 300


def decline_text(decline: Mapping[str, object]) -> tuple[str, bool]:
    """Choose the sentence for one entry of a report's `declineReasons`.

    The second value tells whether the sentence is one of ours, which the catalogues
    translate; the gateway's own text for an unlisted code is shown as it came.
    """
    code = str(decline.get("responseCode") or "").strip().upper()

    if code in REASONS:
        return REASONS[code], True

    text = decline.get("responseReasonEn")
    words = " ".join(text.split()) if isinstance(text, str) else ""

    if not words:
        return WITHOUT_REASON, True

    return words[:LONGEST_TEXT], False
