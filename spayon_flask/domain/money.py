"""Prices: exact decimals that every database and the wire can hold."""

from __future__ import annotations

import re
from decimal import Decimal

#: More digits than this do not survive SQLite, which keeps numbers as 64-bit floats.
MAX_DIGITS = 15

#: ISO 4217 knows no currency with more.
MAX_DECIMALS = 4

_MAX_PLAIN = 40
_PLAIN = re.compile(r"[0-9]{1,40}(\.[0-9]{1,40})?", re.ASCII)
_CURRENCY = re.compile(r"[A-Za-z]{3}")


def check_price(price: Decimal) -> Decimal:
    """Return *price* unchanged, or raise `ValueError` saying why it cannot be stored exactly."""
    if not price.is_finite() or price <= 0:
        raise ValueError("must be a positive amount")

    # Beyond these exponents a plain spelling would fill the memory.
    if not -_MAX_PLAIN < price.adjusted() < MAX_DIGITS:
        raise ValueError(f"must have at most {MAX_DIGITS} digits")

    whole, _, decimals = format(price, "f").partition(".")
    decimals = decimals.rstrip("0")

    if len(decimals) > MAX_DECIMALS:
        raise ValueError(f"must have at most {MAX_DECIMALS} decimals")

    if len(whole) + len(decimals) > MAX_DIGITS:
        raise ValueError(f"must have at most {MAX_DIGITS} digits")

    return price


def read_price(value: object) -> Decimal | None:
    """Return the price in a report, or None if it is missing or unreadable.

    Spayon writes it as text, `"10"` as well as `"5000.00"` (documentation, callbacks); a JSON
    number is read too, provided that the parser kept it exact.
    """
    # Relies on: price-format, price-type
    match value:
        case bool():
            return None
        case str() if _PLAIN.fullmatch(value):
            price = Decimal(value)
        case int() | Decimal():
            price = Decimal(value)
        case _:
            return None

    try:
        return check_price(price)

    except ValueError:
        return None


def plain(price: Decimal) -> str:
    """Return *price* in digits, without an exponent and without needless zeros: `1000`, `9.5`."""
    text = format(price, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def read_currency(value: object) -> str | None:
    """Return a three-letter currency code in upper case, or None if there is none."""
    # Relies on: currency-case
    if isinstance(value, str) and _CURRENCY.fullmatch(value):
        return value.upper()

    return None
