"""Loading: an order from the shop's loader, checked before it is shown or paid."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal

from .errors import HandlerError
from .errors import RegistrationError
from .handlers import Handlers
from .handlers import OrderLoader
from .handlers import check_result
from .orders import MAX_ID_LENGTH
from .orders import Order
from .orders import has_control_characters


#: A 64-bit number has at most 20 digits.
_LONGEST_NUMBER = 20


def load_order(handlers: Handlers, asked: str) -> Order | None:
    """Return the order that the shop's loader knows by *asked*, or None if there is none.

    Its `key` is *asked*, or another spelling of the same order that is to be used instead: `17` for
    `017`. Raises `RegistrationError` if there is no loader, `HandlerError` if the loader returns no
    order, and all that the loader raises.
    """
    loader = handlers.order_loader

    if loader is None:
        raise RegistrationError("no order loader: register one with @spayon.order_loader")

    # No key of ours, and not every database takes such text.
    if len(asked) > MAX_ID_LENGTH or has_control_characters(asked) or asked != asked.strip():
        return None

    order = _call(loader, asked)

    if order is None:
        return None

    for spelling in _other_spellings(order, asked):
        # The loader may know no way to read it.
        with suppress(Exception):
            other = _call(loader, spelling)

            if other is not None and _is_same(order, other):
                return replace(other, key=spelling)

    return replace(order, key=asked)


def _call(loader: OrderLoader, key: str) -> Order | None:
    found: object = loader(key)
    check_result(loader, found)

    if found is None or isinstance(found, Order):
        return found

    raise HandlerError(f"the order loader returned {type(found).__name__}, not an Order or None")


def _other_spellings(order: Order, asked: str) -> Iterator[str]:
    """Yield by what the loader may know *order* as well: the same row must not be paid twice.

    Never a key that the payer does not have: it may be a secret.
    """
    key = order.key or order.order_id

    if asked not in (key, order.order_id):
        yield key if asked.casefold() == key.casefold() else order.order_id

    # The loader echoes what it was asked for, and finds by "017" or "17a" what it finds by "17":
    # `int` and several databases read a number there.
    if order.order_id is asked and (number := _number_in(asked)) not in (None, asked):
        yield str(number)


def _number_in(text: str) -> str | None:
    """Return the whole number that *text* begins with, in plain digits, or None."""
    found = re.match(r"[+]?(\d+(?:_\d+)*(?:\.\d+)?(?:[eE][+-]?\d{1,2})?)", text[:_LONGEST_NUMBER])
    number = Decimal(found[1].replace("_", "")) if found else Decimal("NaN")
    return f"{number:.0f}" if number == number.to_integral_value() else None


def _is_same(order: Order, other: Order) -> bool:
    """Return True if both are the same order, by its number or by all the rest."""
    if order.order_id == other.order_id:
        return True

    return replace(order, order_id="same", key="same") == replace(
        other, order_id="same", key="same"
    )
