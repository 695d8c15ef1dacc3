"""Callables: what runs when a shop's function is called, and when two are the same code."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from types import CellType
from types import FunctionType
from types import MethodType
from typing import cast


#: Values that tell two closures of the same code apart. Other objects, such as an app, do not.
_PLAIN = (str, bytes, int, float, bool, type(None))

#: How deep values are compared: a closure may hold itself.
_DEPTH = 4


def describe(function: object) -> str:
    """Return the name of *function* for a message: `shop.orders.fulfil`."""
    named = function if issubclass(type(function), type) else code_of(function) or type(function)
    return f"{named.__module__}.{named.__qualname__}"  # type: ignore[attr-defined]  # both have them


def _inner(function: object) -> object:
    """Return what is called in the end: behind each `partial`, and without its `self`."""
    while True:
        if type(function) is MethodType:
            function = function.__func__

        elif issubclass(type(function), partial):
            function = cast("partial[object]", function).func

        else:
            return function


def code_of(function: object) -> FunctionType | None:
    """Return the Python function that runs when *function* is called, or None if it is unknown.

    It is unknown of functions in C and of proxies. A proxy is not touched: Celery's shared task,
    for one, would look up what it stands for, perhaps too early.
    """
    inner = _inner(function)

    if type(inner) is FunctionType:
        return inner

    if _is_proxy(inner):
        return None

    call = getattr(type(inner), "__call__", None)  # noqa: B004  the function is wanted
    return call if type(call) is FunctionType else None


def _is_proxy(value: object) -> bool:
    """Return True if *value* passes for an object of another class."""
    return any("__class__" in vars(kind) for kind in type(value).__mro__[:-1])


def takes(function: object, code: FunctionType, arguments: int) -> bool:
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


def identity(function: object) -> tuple[object, object]:
    """Return what is the same for the same code, and the plain values that it works with.

    A module that is imported under two names yields new function objects of the same code, and so
    does a function that makes handlers.
    """
    code = code_of(function)
    place = id(_inner(function)) if code is None else _place(code)
    owner = function.__self__ if type(function) is MethodType else function
    return (place, _kind(owner)), (_values(function, _DEPTH), _attributes(owner))


def _place(code: FunctionType) -> tuple[str, int, str]:
    where = code.__code__
    return where.co_filename, where.co_firstlineno, code.__qualname__


def _values(value: object, depth: int) -> object:
    """Return what of *value* tells two handlers of the same code apart."""
    if type(value) in _PLAIN:
        return value

    if type(value) is FunctionType:
        cells = [cell.cell_contents for cell in value.__closure__ or () if _is_filled(cell)]
        parts = [*_place(value), *cells, *(value.__defaults__ or ())]
        parts += (value.__kwdefaults__ or {}).values()

    elif type(value) is MethodType:
        parts = [value.__func__, value.__self__]

    elif issubclass(type(value), partial):
        call = cast("partial[object]", value)
        parts = [call.func, *call.args, *call.keywords.items()]

    elif type(value) in (tuple, list):
        parts = list(cast("tuple[object]", value))

    else:
        return _kind(value)

    return [_values(part, depth - 1) for part in parts] if depth else None


def _kind(value: object) -> str:
    """Return the name of a class, or of the class of an object, without that of its module."""
    kind = value if issubclass(type(value), type) else type(value)
    return cast("type", kind).__qualname__


def _attributes(owner: object) -> dict[str, object]:
    """Return the plain attributes of an object whose method is the handler."""
    if isinstance(owner, type | FunctionType | partial) or _is_proxy(owner):
        return {}

    state: dict[str, object] = getattr(owner, "__dict__", {})
    return {name: each for name, each in state.items() if type(each) in _PLAIN}


def _is_filled(cell: CellType) -> bool:
    """Return True unless the enclosing function has yet to bind the name."""
    try:
        _ = cell.cell_contents

    except ValueError:
        return False

    return True
