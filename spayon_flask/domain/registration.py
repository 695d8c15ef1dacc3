"""Registration: what a shop registers, and which of it each of its apps runs."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from operator import itemgetter
from types import FrameType, FunctionType, MethodType
from typing import Any, cast

from ..errors import RegistrationError
from .handlers import Handlers

_OURS = __name__.partition(".")[0]

_USELESS = (
    (inspect.iscoroutinefunction, "an async function, which nobody would await"),
    (inspect.isasyncgenfunction, "an async generator, over which nobody would iterate"),
    (inspect.isgeneratorfunction, "a generator, over which nobody would iterate"),
)


@dataclass(eq=False)
class _Line:
    """A line of the shop that registers functions of the same code, again and again.

    *turn* is the number of apps that were set up when the line last ran, *functions* is what it
    registered in that turn, numbered in order, *added* what of it was new. *first* is the turn in
    which it first ran.
    """

    module: str
    first: int
    turn: int
    functions: list[tuple[int, Any]] = field(default_factory=list)
    added: list[Any] = field(default_factory=list)


class Registry:
    """Register functions for any number of apps, and drop none.

    Nobody can see for which app a function is meant, so the line of the shop that registers the
    function decides. An app runs what each line registered last before the `init_app` of that app,
    and what is registered from then on until another app follows. So a factory that runs again
    makes no handler run twice for one app.
    """

    def __init__(self) -> None:
        #: What the newest app runs; before the first app, what that app is going to run.
        self.newest = Handlers()
        self._turn = 0
        self._numbers = count()
        self._lines: dict[tuple[object, ...], _Line] = {}

    def add(self, decorator: str, function: object, *, arguments: int = 1) -> None:
        """Register *function*, which is called with so many *arguments*.

        Raises `RegistrationError` if calling the function would do nothing, or if its module has
        been imported twice under two names.
        """
        check_function(decorator, function, arguments=arguments)
        frame = _frame_of_shop()
        module = frame.f_globals.get("__name__", "")
        key = (decorator, frame.f_code.co_filename, frame.f_lineno, _code_place(function))
        line = self._lines.setdefault(key, _Line(module, self._turn, self._turn))

        if line.module != module:
            raise RegistrationError(
                f"{decorator}: {frame.f_code.co_filename} has been imported twice, as "
                f"{line.module} and as {module}, so {describe(function)} would run twice: start "
                "the app by one name (`flask --app shop run`), or move what others import from "
                "that file into a file of its own"
            )

        if line.turn != self._turn:
            if line.first > 0:
                # A factory that registers behind `init_app` runs for another app.
                self.newest.drop(decorator, [each for _, each in line.functions])

            line.turn, line.functions, line.added = self._turn, [], []

        line.functions.append((next(self._numbers), function))

        if self.newest.put(decorator, function):
            line.added.append(function)

    def next_app(self) -> Handlers:
        """Return what an app runs that is set up now."""
        former, self.newest = self.newest, Handlers()
        found: list[tuple[int, str, Any]] = []

        for (decorator, *_), line in self._lines.items():
            found += [(number, str(decorator), function) for number, function in line.functions]

            # A factory that registers ahead of `init_app` has run for the new app.
            if line.first == 0 < line.turn == self._turn:
                former.drop(str(decorator), line.added)

        for _, decorator, function in sorted(found, key=itemgetter(0)):
            self.newest.put(decorator, function)

        self._turn += 1
        return self.newest


def _frame_of_shop() -> FrameType:
    """Return the frame that has called into this package."""
    frame = inspect.currentframe()

    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == _OURS:
        frame = frame.f_back

    if frame is None:
        raise RegistrationError("register functions from a module of the shop")

    return frame


def check_function(decorator: str, function: object, *, arguments: int = 1) -> None:
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

    code = _code_of(function)

    if code is None:
        return

    for is_kind, kind in _USELESS:
        if is_kind(code):
            raise RegistrationError(
                f"{decorator}: {describe(function)} is {kind}, so a call would do nothing: make it "
                "a plain function; slow work belongs behind the dispatcher"
            )

    if not _takes(function, code, arguments):
        raise RegistrationError(
            f"{decorator}: {describe(function)} must take {arguments} "
            f"argument{'' if arguments == 1 else 's'}"
        )


def describe(function: object) -> str:
    """Return the name of *function* for a message: `shop.orders.fulfil`."""
    named = function if issubclass(type(function), type) else _code_of(function) or type(function)
    return f"{named.__module__}.{named.__qualname__}"  # type: ignore[attr-defined]  # both have them


def _code_of(function: object) -> FunctionType | None:
    """Return the Python function that runs when *function* is called, or None if it is unknown.

    It is unknown of functions in C and of proxies. A proxy is not touched: Celery's shared task,
    for one, would look up what it stands for, perhaps too early.
    """
    while type(function) is MethodType or issubclass(type(function), partial):
        function = (
            function.__func__
            if type(function) is MethodType
            else cast("partial[object]", function).func
        )

    if type(function) is FunctionType:
        return function

    # What passes for an object of another class is a proxy.
    if any("__class__" in vars(kind) for kind in type(function).__mro__[:-1]):
        return None

    call = getattr(type(function), "__call__", None)  # noqa: B004  the function is wanted
    return call if type(call) is FunctionType else None


def _code_place(function: object) -> object:
    """Return what two functions share that one `def` or `lambda` has made."""
    code = _code_of(function)

    if code is None:
        return type(function)

    return code.__code__.co_filename, code.__code__.co_firstlineno, code.__qualname__


def _takes(function: object, code: FunctionType, arguments: int) -> bool:
    """Return True if *function* can be called with so many positional arguments."""
    given: list[None] = [None] * arguments

    # What a decorator wraps may take other arguments than its wrapper.
    if type(function) in (FunctionType, MethodType, partial):
        signature = inspect.signature(cast("Callable[..., object]", function), follow_wrapped=False)

    else:
        signature = inspect.signature(code, follow_wrapped=False)
        given.append(None)

    try:
        signature.bind(*given)

    except TypeError:
        return False

    return True
