"""Handlers: the shop's own functions, as one app runs them, and its order loader at work."""

from __future__ import annotations

import copy
import inspect
import logging
import traceback
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import FunctionType, MethodType
from typing import Any, TypeVar

from ..errors import HandlerError, RegistrationError
from .orders import MAX_ID_LENGTH, MAX_TEXT_LENGTH, Order, has_control_characters

logger = logging.getLogger(__name__)

_OURS = str(Path(__file__).parents[1])

#: A call of such a function does nothing until somebody awaits or iterates, and nobody does.
_USELESS = (inspect.iscoroutinefunction, inspect.isasyncgenfunction, inspect.isgeneratorfunction)

#: Given an order's key, and the vendor if there are many; None if there is no such order.
OrderLoader = Callable[[str], Order | None] | Callable[[str, str], Order | None]

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
    """The functions that one app runs, by the decorator that registered them, in order.

    *surroundings* calls a function with its arguments in the same surroundings each time, whether a
    request or a command is under way. *vendor* is the one for whom they run, None if the shop has
    one account.
    """

    vendor: str | None = None

    def __init__(self) -> None:
        self.functions: dict[str, list[Any]] = defaultdict(list)
        self.surroundings: Callable[..., object] = lambda call, *arguments: call(*arguments)

    def run(self, function: Callable[..., object], *arguments: object) -> None:
        """Call one of the functions with *arguments*.

        Raises `HandlerError` if it has not done its work, and all that it raises.
        """
        check_result(function, self.surroundings(function, *arguments))

    def put(self, decorator: str, function: object) -> None:
        """Have *function* run after the others, unless it runs already."""
        if not any(_is_same(function, other) for other in self.functions[decorator]):
            self.functions[decorator].append(function)

    def become(self, other: Handlers) -> None:
        """Run what *other* runs. A payment that is recorded meanwhile finds each handler."""
        for decorator in {*self.functions, *other.functions}:
            self.functions[decorator] = other.functions[decorator]

    def of_vendor(self, vendor: str | None) -> Handlers:
        """Return the same functions, as they run for *vendor*."""
        found = copy.copy(self)
        found.vendor = vendor
        return found

    def of_status(self, status: str) -> Sequence[Handler]:
        """Return the handlers of payments that become *status*."""
        return self.functions[f"on_{status}"]

    @property
    def details(self) -> Sequence[DetailsHandler]:
        """The functions that are given what a payer typed."""
        return self.functions["on_details"]

    # There is one answer to each of these questions: that of the function registered last.

    @property
    def order_loader(self) -> Callable[..., Order | None] | None:
        """The function that loads an order."""
        return next(reversed(self.functions["order_loader"]), None)

    @property
    def dispatcher(self) -> Dispatcher | None:
        """The function that is given callback rows after the commit."""
        return next(reversed(self.functions["dispatcher"]), None)

    @property
    def language(self) -> LanguageChooser | None:
        """The function that tells the payer's language."""
        return next(reversed(self.functions["language"]), None)


def _is_same(function: object, other: object) -> bool:
    # Python makes a new object each time that a method is looked up.
    if type(function) is MethodType and type(other) is MethodType:
        return function.__self__ is other.__self__ and function.__func__ is other.__func__

    return function is other


def check_function(decorator: str, function: object, *, arguments: int = 1) -> None:
    """Raise `RegistrationError` unless calling *function* does its work at once.

    *decorator* is the name by which it is registered, *arguments* the number of arguments with
    which it will be called.
    """
    # A call of a class would only make an object.
    if not callable(function) or issubclass(type(function), type):
        raise RegistrationError(
            f"{decorator} takes a function, not {function!r}: write @spayon.{decorator} above the "
            "function, without parentheses"
        )

    code = code_of(function)

    if code is None:
        return

    if any(is_useless(code) for is_useless in _USELESS):
        raise RegistrationError(
            f"{decorator}: {describe(function)} is async or a generator, so a call would do "
            "nothing: make it a plain function; slow work belongs behind the dispatcher"
        )

    try:
        # What a decorator wraps may take other arguments than its wrapper.
        inspect.signature(function, follow_wrapped=False).bind(*[None] * arguments)

    except TypeError:
        raise RegistrationError(
            f"{decorator}: {describe(function)} must take {arguments} "
            f"argument{'' if arguments == 1 else 's'}"
        ) from None


def describe(function: object) -> str:
    """Return the name of *function* for a message: `shop.orders.fulfil`."""
    named = code_of(function) or type(function)
    return f"{named.__module__}.{named.__qualname__}"


def code_of(function: Any) -> FunctionType | None:
    """Return the Python function that runs when *function* is called, or None if it is unknown.

    It is unknown of functions in C and of proxies. A proxy is not touched: Celery's shared task,
    for one, would look up what it stands for, perhaps too early.
    """
    while issubclass(type(function), MethodType | partial):
        function = function.__func__ if type(function) is MethodType else function.func

    if type(function) is FunctionType:
        return function

    # What passes for an object of another class is a proxy.
    if any("__class__" in vars(kind) for kind in type(function).__mro__[:-1]):
        return None

    call = getattr(type(function), "__call__", None)  # noqa: B004  the function is wanted
    return call if type(call) is FunctionType else None


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

    name = getattr(function, "__qualname__", type(function).__qualname__)
    raise HandlerError(
        f"{name} returned {type(result).__name__}, which nobody runs, so nothing was done: make it "
        "a plain function"
    )


def failure_of(error: HandlerError) -> str:
    """Return with which class of error a handler has failed, and where: `KeyError, at shop.py:12`.

    Not with which message: that may quote what nobody is to keep.
    """
    cause = error.__cause__ or error
    return f"{type(cause).__name__}{place_of(cause)}"[:MAX_TEXT_LENGTH]


def place_of(error: BaseException) -> str:
    """Return the line at which *error* was raised in the shop's code: `, at shop.py:12`."""
    last = ""

    for frame in traceback.extract_tb(error.__traceback__):
        if "site-packages" not in frame.filename and _OURS not in frame.filename:
            last = f", at {Path(frame.filename).name}:{frame.lineno}"

    return last


def load_order(handlers: Handlers, key: str) -> Order | None:
    """Return the order that the shop's loader knows by *key*, or None if there is none.

    An order with another key than the one that was asked for is none: whoever guesses a number
    learns nothing of the order behind it. Raises `RegistrationError` if there is no loader,
    `HandlerError` if the loader returns no order, and all that the loader raises.
    """
    loader = handlers.order_loader

    if loader is None:
        raise RegistrationError("no order loader: register one with @spayon.order_loader")

    # No key of ours, and not every database takes such text.
    if len(key) > MAX_ID_LENGTH or has_control_characters(key) or key != key.strip():
        return None

    vendor = () if handlers.vendor is None else (handlers.vendor,)
    found: object = loader(key, *vendor)
    check_result(loader, found)

    if found is None:
        return None

    if not isinstance(found, Order):
        # A shop's own model may be called Order as well.
        kind = f"{type(found).__module__}.{type(found).__qualname__}".removeprefix("builtins.")
        raise HandlerError(f"the order loader returned {kind}, not an Order or None")

    if found.key != key:
        logger.info(
            "the order loader found an order whose key is another one: give the Order the key by "
            "which it is loaded"
        )
        return None

    return found
