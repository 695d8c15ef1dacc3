"""Prices: what is exact, and what is refused."""

from decimal import Decimal

import pytest

from spayon_flask.domain.money import check_price, plain, read_currency, read_price


@pytest.mark.parametrize(
    "text", ["10", "0.01", "1E+3", "999999999999999", "99999999999.9999", "9.50000"]
)
def test_a_price_that_every_database_holds_is_let_through(text: str) -> None:
    assert check_price(Decimal(text)) == Decimal(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0", r"^must be a positive amount$"),
        ("-1", "positive"),
        ("NaN", "positive"),
        ("Infinity", "positive"),
        ("1234567890123456", "15 digits"),
        ("1E+15", "15 digits"),
        ("1E+999999", "15 digits"),
        ("123456789012.3456", "15 digits"),
        ("1E-999999", "digits"),
        ("0.00001", "4 decimals"),
        ("1E-7", "4 decimals"),
        ("1E-39", "4 decimals"),
        ("1E-40", "15 digits"),
        ("1.00000000000000000000000000000000000001", "4 decimals"),
    ],
)
def test_a_price_that_would_lose_digits_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_price(Decimal(text))


@pytest.mark.parametrize("value", ["10", 10, "10.00", Decimal("10.0"), "010"])
def test_ten_is_ten_however_it_is_written(value: object) -> None:
    assert read_price(value) == Decimal(10)


@pytest.mark.parametrize(
    "value",
    [None, "", "ten", "1e1", "+10", "-10", " 10", "10,00", "٣", "NaN", True, 10.0, [], {}, 0],
)
def test_what_is_no_plain_number_is_unreadable(value: object) -> None:
    assert read_price(value) is None


def test_a_number_with_an_absurd_exponent_is_unreadable_and_fills_no_memory() -> None:
    assert read_price(Decimal("1E+999999999")) is None


@pytest.mark.parametrize(
    ("text", "shown"), [("1000", "1000"), ("1E+3", "1000"), ("9.50", "9.5"), ("10.00", "10")]
)
def test_a_price_is_written_without_exponent_or_needless_zeros(text: str, shown: str) -> None:
    assert plain(Decimal(text)) == shown


def test_a_currency_is_read_in_either_case() -> None:
    assert read_currency("amd") == "AMD"


@pytest.mark.parametrize("value", [None, "", "AM", "AMDX", "ԱՄԴ", "A1D", 51, ["AMD"]])
def test_what_is_no_currency_code_is_unreadable(value: object) -> None:
    assert read_currency(value) is None
