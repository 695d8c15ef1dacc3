"""The words of the hosted page, in the languages of Armenia's payers."""

import json
from decimal import Decimal
from functools import cache
from pathlib import Path


FOLDER = Path(__file__).parent / "words"

#: Languages of the hosted page. Which codes Spayon knows is not documented.
CODES = ("en", "ru", "hy")

#: A space that neither breaks a line nor an amount.
FIXED_SPACE = "\u00a0"

SIGNS = {"AMD": "֏", "USD": "$", "EUR": "€", "RUB": "₽"}


class Words:
    """Say things in the language *code*."""

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
        """Write *price* as people do: 5,000 ֏ or 5 000 ֏."""
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
