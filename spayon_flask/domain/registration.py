"""Registration: what a shop registers by decorator, and which of it each of its apps runs."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from itertools import count
from operator import itemgetter
from types import FrameType
from typing import Any

from ..errors import RegistrationError
from .handlers import (
    DetailsHandlerT,
    DispatcherT,
    Handlers,
    HandlerT,
    LanguageChooserT,
    OrderLoaderT,
    check_function,
    code_of,
    describe,
)

_OURS = __name__.partition(".")[0]

#: What a decorator gets if it is written with parentheses.
_NOTHING: Any = None


@dataclass(eq=False)
class _Line:
    """A line of the shop that registers functions of the same code, again and again.

    A *turn* is the number of apps that were set up before. *first* is the one in which the line
    first ran. *turns* holds what it registered in the last two in which it ran: the decorator and
    the function, numbered in the order of all registrations.
    """

    module: str
    first: int
    turns: dict[int, list[tuple[int, str, Any]]] = field(default_factory=dict)

    def add(self, turn: int, *registered: Any) -> None:
        """Keep what was *registered*, and of the earlier turns the last one."""
        if turn not in self.turns:
            last = list(self.turns.items())[-1:]
            self.turns = dict(last) | {turn: []}

        self.turns[turn].append(registered)

    def of_app(self, app: int, *, is_newest: bool) -> list[tuple[int, str, Any]]:
        """Return what *app* runs, which was set up in the turn of that number."""
        before = [each for turn, each in self.turns.items() if turn <= app][-1:]
        after = [each for turn, each in self.turns.items() if turn == app + 1]

        # A factory that registers behind `init_app` has run again.
        if after and self.first > 0:
            before = []

        # A factory that registers ahead of `init_app` has run for the next app.
        elif not is_newest:
            after = []

        return [each for registered in before + after for each in registered]


class Registration:
    """Register the shop's functions for any number of apps, and drop none.

    Each decorator hands the function back as it was, and raises `RegistrationError` for what is no
    plain function.

    Nobody can see for which app a function is meant, so the line of the shop that registers the
    function decides. An app runs what each line registered last before the `init_app` of that app,
    and what is registered from then on until another app follows. So a factory that runs again
    makes no handler run twice for one app.
    """

    def __init__(self, *, has_vendors: bool) -> None:
        self._has_vendors = has_vendors
        self._newest = Handlers()
        self._turn = 0
        self._numbers = count()
        self._lines: dict[tuple[object, ...], _Line] = {}

    @property
    def handlers(self) -> Handlers:
        """What the newest app runs; before the first app, what that app is going to run."""
        return self._newest

    def order_loader(self, function: OrderLoaderT = _NOTHING) -> OrderLoaderT:
        """Register *function*: it takes an order's key and returns an `Order`, or None for a 404.

        The key is a part of the URL of the checkout page: `order_id`, unless the order has a `key`.
        With many vendors it takes the key and the vendor.
        """
        self._add("order_loader", function, arguments=2 if self._has_vendors else 1)
        return function

    def dispatcher(self, function: DispatcherT = _NOTHING) -> DispatcherT:
        """Register *function*: it takes the id of a callback row, after the commit."""
        self._add("dispatcher", function)
        return function

    def language(self, function: LanguageChooserT = _NOTHING) -> LanguageChooserT:
        """Register *function*: it takes nothing and returns the code of the payer's language.

        It is called in each request for a page. If it returns None, the language is chosen as if
        there were no such function.
        """
        self._add("language", function, arguments=0)
        return function

    def on_details(self, function: DetailsHandlerT = _NOTHING) -> DetailsHandlerT:
        """Register *function* for what a payer typed on the checkout page.

        It takes the payment and a mapping with `email`, `full_name` or both, in the transaction
        that writes the payment. We keep none of it.
        """
        self._add("on_details", function, arguments=2)
        return function

    def on_paid(self, function: HandlerT = _NOTHING) -> HandlerT:
        """Register *function* for payments that become paid: once each, in the transaction."""
        self._add("on_paid", function)
        return function

    def on_failed(self, function: HandlerT = _NOTHING) -> HandlerT:
        """Register *function* for payments that become failed."""
        self._add("on_failed", function)
        return function

    def on_expired(self, function: HandlerT = _NOTHING) -> HandlerT:
        """Register *function* for payments that become expired."""
        self._add("on_expired", function)
        return function

    def on_review(self, function: HandlerT = _NOTHING) -> HandlerT:
        """Register *function* for payments that a person has to look at."""
        self._add("on_review", function)
        return function

    def _add(self, decorator: str, function: object, *, arguments: int = 1) -> None:
        """Register *function*, which is called with so many *arguments*."""
        check_function(decorator, function, arguments=arguments)
        frame = _frame_of_shop()
        module = frame.f_globals.get("__name__", "")
        key = (decorator, frame.f_code.co_filename, frame.f_lineno, _code_place(function))
        line = self._lines.setdefault(key, _Line(module, self._turn))

        if line.module != module:
            raise RegistrationError(
                f"{decorator}: {frame.f_code.co_filename} has been imported twice, as "
                f"{line.module} and as {module}, so {describe(function)} would run twice: start "
                "the app by one name (`flask --app shop run`), or move what others import from "
                "that file into a file of its own"
            )

        line.add(self._turn, next(self._numbers), decorator, function)
        self._arrange(is_newest=True)

    def _next_app(self) -> Handlers:
        """Return what an app runs that is set up now."""
        self._arrange(is_newest=False)
        self._newest = Handlers()
        self._turn += 1
        self._arrange(is_newest=True)
        return self._newest

    def _arrange(self, *, is_newest: bool) -> None:
        """Have the newest app run what it is to run, if it still *is_newest*."""
        app = self._turn - 1
        lines = self._lines.values()
        found = [each for line in lines for each in line.of_app(app, is_newest=is_newest)]
        arranged = Handlers()

        for _, decorator, function in sorted(found, key=itemgetter(0)):
            arranged.put(decorator, function)

        # The app may be serving payers while the next one is set up.
        self._newest.become(arranged)


def _frame_of_shop() -> FrameType:
    """Return the frame that has called into this package."""
    frame = inspect.currentframe()

    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == _OURS:
        frame = frame.f_back

    if frame is None:
        raise RegistrationError("register functions from a module of the shop")

    return frame


def _code_place(function: object) -> object:
    """Return what two functions share that one `def` or `lambda` has made."""
    code = code_of(function)

    if code is None:
        return type(function)

    return code.__code__.co_filename, code.__code__.co_firstlineno, code.__qualname__
