"""The test cards of the hosted page, and what Spayon calls a decline."""

from dataclasses import dataclass


#: Decline codes with the text that comes along. Spayon's documentation names 05, 14 and 1A; the
#: others stand for the ISO 8583 codes and for Spayon's own `SP-XX`, whose list is not public.
REASONS = {
    "05": "Do not honor",
    "14": "Invalid card number, CVV or expiry date",
    "1A": "3D-Secure authentication failed",
    "51": "Insufficient funds",
    "54": "Expired card",
    "91": "Issuer unavailable",
    "SP-07": "Payment blocked by the gateway's risk rules",
}


@dataclass(frozen=True)
class Card:
    """A card number and how each attempt with it in one session ends.

    Of *declines* each attempt takes the next code; once they are used up the card is approved,
    unless it is *final*: then the last code counts for every attempt that follows.
    """

    key: str
    number: str
    declines: tuple[str, ...] = ()
    final: bool = True

    def outcome(self, attempts_before: int) -> str | None:
        """Return the decline code after *attempts_before* earlier attempts, `None` if approved."""
        if attempts_before < len(self.declines):
            return self.declines[attempts_before]

        return self.declines[-1] if self.declines and self.final else None


CARDS = (
    Card("approved", "4111 1111 1111 1111"),
    Card("bank", "4000 0000 0000 0002", ("05",)),
    Card("data", "4000 0000 0000 0069", ("14",)),
    Card("secure", "4000 0000 0000 3220", ("1A",)),
    Card("gateway", "4000 0000 0000 4954", ("SP-07",)),
    Card("funds", "4000 0000 0000 9995", ("51",), final=False),
)

BY_NUMBER = {card.number.replace(" ", ""): card for card in CARDS}

#: A number that is on no list belongs to nobody: Spayon's wrong card data.
WRONG = Card("wrong", "", ("14",))


def find_card(number: str) -> Card:
    """Return the test card with *number*, however it is spaced; any other is wrong card data."""
    digits = "".join(letter for letter in number if letter.isdecimal())
    return BY_NUMBER.get(digits, WRONG)
