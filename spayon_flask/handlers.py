"""Handlers: the shop's own functions, as it registered them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from typing import TypeVar

from .callables import code_of
from .callables import describe
from .callables import identity
from .callables import takes
from .errors import HandlerError
from .errors import RegistrationError
from .orders import Order


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
