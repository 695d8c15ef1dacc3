"""The words of the hosted page."""

import json
import string
from decimal import Decimal

import pytest

from spayon_flask.simulator import CARDS
from spayon_flask.simulator.payment_page import CODES, FOLDER, choose_words, words_in


def words(code: str) -> dict[str, str]:
    """Return all the words of a language."""
    found: dict[str, str] = json.loads((FOLDER / f"{code}.json").read_text(encoding="utf-8"))
    return found


def variables(text: str) -> set[str]:
    """Return what is to be put into *text*."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("code", CODES)
def test_a_language_has_every_word_with_the_same_variables(code: str) -> None:
    """None is missing, none is left over."""
    english = words("en")

    assert {key: variables(text) for key, text in words(code).items()} == {
        key: variables(text) for key, text in english.items()
    }


@pytest.mark.parametrize("code", CODES)
def test_every_card_and_decline_has_its_words(code: str) -> None:
    """In each language."""
    known = words_in(code)

    assert all(f"card_{card.key}" in known for card in CARDS)
    assert all(f"decline_{decline}" in known for card in CARDS for decline in card.declines)


@pytest.mark.parametrize(
    ("language", "code"),
    [("ru", "ru"), ("hy-AM", "hy"), ("RU_ru", "ru"), ("fr", "en"), ("", "en"), (None, "en")],
)
def test_the_language_is_chosen_by_its_code(language: str | None, code: str) -> None:
    """However it is written; English if it is not known."""
    assert choose_words(language).code == code


@pytest.mark.parametrize(
    ("code", "price", "currency", "written"),
    [
        ("en", "4500", "AMD", "4,500\u00a0AMD"),
        ("en", "1234567.5", "USD", "1,234,567.50\u00a0$"),
        ("ru", "4500", "RUB", "4\u00a0500\u00a0₽"),
        ("hy", "7200.50", "AMD", "7\u00a0200,50\u00a0AMD"),
        ("en", "1E+3", "GEL", "1,000\u00a0GEL"),
    ],
)
def test_a_price_is_written_as_people_do(
    code: str, price: str, currency: str, written: str
) -> None:
    """With spaces that break no line."""
    assert words_in(code).price(Decimal(price), currency) == written
