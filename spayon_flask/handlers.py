"""Handlers: the shop's own functions, as it registered them, and its order loader at work."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from typing import Any
from typing import TypeVar

from .callables import code_of
from .callables import describe
from .callables import identity
from .callables import takes
from .errors import HandlerError
from .errors import RegistrationError
from .orders import MAX_ID_LENGTH
from .orders import Order
from .orders import has_control_characters


#: Given an order's key; None if there is no such order.
OrderLoader = Callable[[str], Order | None]

#: Given the payment, inside the transaction that records it.
Handler = Callable[[Any], object]

#: Given the id of a callback row, after the commit.
Dispatcher = Callable[[int], object]

#: Given a payment and what the payer typed, inside the transaction that writes the payment.
DetailsHandler = Callable[[Any, Mapping[str, str]], object]

#: Returns the code of the payer's language, or None.
LanguageChooser = Callable[[], str | None]

#: A function that a decorator hands back as it was, with its own type.
OrderLoaderT = TypeVar("OrderLoaderT", bound=OrderLoader)
HandlerT = TypeVar("HandlerT", bound=Handler)
DispatcherT = TypeVar("DispatcherT", bound=Dispatcher)
DetailsHandlerT = TypeVar("DetailsHandlerT", bound=DetailsHandler)
LanguageChooserT = TypeVar("LanguageChooserT", bound=LanguageChooser)

#: A 64-bit number has at most 20 digits.
_LONGEST_NUMBER = 20


class Handlers:
    """What a shop registered: handlers by the status that they wait for, in order.

    Functions that a factory registers for each app it makes replace those of the app before:
    *apps* counts the apps that were set up so far.
    """

    def __init__(self) -> None:
        self.apps = 0
        self.order_loader: OrderLoader | None = None
        self.dispatcher: Dispatcher | None = None
        self.language: LanguageChooser | None = None
        self.details: list[DetailsHandler] = []
        self.by_status: dict[str, list[Handler]] = {
            "paid": [],
            "failed": [],
            "expired": [],
            "review": [],
        }
        # Each function is kept beside its number, since an id alone may be given out again.
        self._registered: dict[int, tuple[object, int]] = {}

    def add(self, status: str, function: HandlerT) -> HandlerT:
        """Have *function* run for payments that become *status*; return it as it was.

        The same code registered again takes the place of its former registration.
        """
        check_handler(f"on_{status}", function)
        self._put(self.by_status[status], function)
        return function

    def add_details(self, function: DetailsHandlerT) -> DetailsHandlerT:
        """Have *function* run with what a payer typed; return it as it was."""
        check_handler("on_details", function, arguments=2)
        self._put(self.details, function)
        return function

    def _put(self, into: list[Any], function: object) -> None:
        code, values = identity(function)
        former = []

        for position, other in enumerate(into):
            other_code, other_values = identity(other)
            _, apps = self._registered.get(id(other), (other, 0))

            # Within one app, closures with different values are different handlers.
            if code == other_code and (values == other_values or apps < self.apps):
                former.append(position)

        for position in reversed(former):
            del into[position]

        into.insert(former[0] if former else len(into), function)
        self._registered[id(function)] = (function, self.apps)


def check_handler(decorator: str, function: object, *, arguments: int = 1) -> None:
    """Raise `RegistrationError` unless calling *function* does its work at once.

    *decorator* is the name by which it is registered, *arguments* the number of arguments with
    which it will be called.
    """
    if not callable(function):
        raise RegistrationError(
            f"{decorator} takes a function, not {function!r}: write @spayon.{decorator} above the "
            "function, without parentheses"
        )

    if issubclass(type(function), type):
        raise RegistrationError(
            f"{decorator} takes a function, not the class {describe(function)}: a call would only "
            "make an object"
        )

    code = code_of(function)

    if code is None:
        return

    for is_kind, kind in (
        (inspect.iscoroutinefunction, "an async function, which nobody would await"),
        (inspect.isasyncgenfunction, "an async generator, over which nobody would iterate"),
        (inspect.isgeneratorfunction, "a generator, over which nobody would iterate"),
    ):
        if is_kind(code):
            raise RegistrationError(
                f"{decorator}: {describe(function)} is {kind}, so a call would do nothing: make it "
                "a plain function; slow work belongs behind the dispatcher"
            )

    if not takes(function, code, arguments):
        raise RegistrationError(
            f"{decorator}: {describe(function)} must take {arguments} "
            f"argument{'' if arguments == 1 else 's'}"
        )


def check_result(function: object, result: object) -> None:
    """Raise `HandlerError` if *result* shows that *function* has not done its work.

    A coroutine, another awaitable or a generator does nothing until somebody runs it, and nobody
    does.
    """
    if not (
        inspect.isawaitable(result) or inspect.isgenerator(result) or inspect.isasyncgen(result)
    ):
        return

    if inspect.iscoroutine(result):
        # Python warns of a coroutine that was never awaited, but later and elsewhere.
        result.close()

    raise HandlerError(
        f"{describe(function)} returned {type(result).__name__}, which nobody runs, so nothing was "
        "done: make it a plain function"
    )


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
