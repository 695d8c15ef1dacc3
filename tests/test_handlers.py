"""Handlers: which functions a shop can register, and what registering them twice does."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from collections.abc import Callable
from collections.abc import Iterator
from types import FunctionType
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery  # type: ignore[import-untyped]  # it has no types
from celery import shared_task
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase

from spayon_flask import HandlerError
from spayon_flask import RegistrationError
from spayon_flask import Spayon
from spayon_flask.callables import describe
from spayon_flask.handlers import check_result


@pytest.fixture
def spayon() -> Spayon:
    class Base(DeclarativeBase):
        pass

    return Spayon(SQLAlchemy(model_class=Base))


async def coroutine(_: object) -> None: ...


async def async_generator(_: object) -> AsyncIterator[None]:
    yield


def generator(_: object) -> Iterator[None]:
    yield


def plain(_: object) -> None: ...


class Caller:
    def __init__(self, text: str = "") -> None:
        self.text = text

    def __call__(self, _: object) -> None: ...

    async def later(self, _: object) -> None: ...

    def now(self, _: object) -> None: ...


class Mailer:
    def __init__(self, address: str) -> None:
        self.address = address

    def tell(self, _: object) -> None: ...


class AsyncCaller:
    async def __call__(self, _: object) -> None: ...


ONE_ARGUMENT = ("order_loader", "dispatcher", "on_paid", "on_failed", "on_expired", "on_review")

USELESS = [
    coroutine,
    async_generator,
    generator,
    functools.partial(coroutine),
    functools.partial(functools.partial(generator)),
    AsyncCaller(),
    Caller().later,
    functools.partial(Caller().later),
]


@pytest.mark.parametrize("decorator", ONE_ARGUMENT)
@pytest.mark.parametrize("function", USELESS, ids=describe)
def test_what_would_silently_do_nothing_is_refused(
    spayon: Spayon, decorator: str, function: Any
) -> None:
    with pytest.raises(RegistrationError, match=f"{decorator}: tests.test_handlers.*do nothing"):
        getattr(spayon, decorator)(function)


@pytest.mark.parametrize("decorator", [*ONE_ARGUMENT, "on_details", "language"])
@pytest.mark.parametrize("function", [None, "fulfil", 7, SimpleNamespace()])
def test_what_is_not_callable_is_refused(spayon: Spayon, decorator: str, function: Any) -> None:
    with pytest.raises(RegistrationError, match=r"takes a function.*without parentheses"):
        getattr(spayon, decorator)(function)


@pytest.mark.parametrize("decorator", [*ONE_ARGUMENT, "on_details", "language"])
def test_a_decorator_with_parentheses_is_refused(spayon: Spayon, decorator: str) -> None:
    with pytest.raises(RegistrationError, match="without parentheses"):
        getattr(spayon, decorator)()


def test_a_class_is_refused(spayon: Spayon) -> None:
    with pytest.raises(RegistrationError, match=r"not the class tests\.test_handlers\.Caller"):
        spayon.on_paid(Caller)


@pytest.mark.parametrize(
    ("decorator", "arguments"), [("on_paid", 1), ("on_details", 2), ("language", 0)]
)
def test_a_function_that_takes_other_arguments_is_refused(
    spayon: Spayon, decorator: str, arguments: int
) -> None:
    def three(_a: object, _b: object, _c: object) -> None: ...

    with pytest.raises(RegistrationError, match=rf"three must take {arguments} argument"):
        getattr(spayon, decorator)(three)


def test_a_registration_error_is_a_type_error_too(spayon: Spayon) -> None:
    with pytest.raises(TypeError):
        spayon.on_paid(coroutine)


def wrapping(function: Callable[..., object]) -> Callable[[object], object]:
    @functools.wraps(function)
    def wrapper(argument: object) -> object:
        return argument

    return wrapper


@pytest.mark.parametrize(
    "function",
    [
        plain,
        functools.partial(plain),
        Caller(),
        Caller().now,
        wrapping(coroutine),
        wrapping(lambda _first, _second: None),
        lambda *_: None,
        lambda _payment, _more=None: None,
        [].append,
        print,
    ],
)
def test_what_does_its_work_when_it_is_called_is_accepted(
    spayon: Spayon, function: Callable[[object], object]
) -> None:
    assert spayon.on_paid(function) is function
    assert spayon.handlers.by_status["paid"] == [function]


@pytest.mark.parametrize("function", [coroutine, async_generator, generator])
def test_a_result_that_nobody_runs_is_an_error(function: Any) -> None:
    def handler(payment: object) -> object:
        return function(payment)

    with pytest.raises(HandlerError, match=r"handler returned .*, which nobody runs"):
        check_result(handler, handler("payment"))


@pytest.mark.parametrize("result", [None, True, "text", [1], iter([1])])
def test_any_other_result_is_none_of_our_business(result: object) -> None:
    check_result(plain, result)


def again(function: FunctionType, module: str) -> FunctionType:
    """Return *function* as a second import of its module under another name makes it."""
    made = FunctionType(
        function.__code__, {"__name__": module}, function.__name__, None, function.__closure__
    )
    made.__qualname__ = function.__qualname__
    return made


def test_a_module_that_is_imported_under_two_names_registers_its_handlers_once(
    spayon: Spayon,
) -> None:
    first, second = plain, again(plain, "__main__")  # type: ignore[arg-type]  # it is one

    for each in (first, second):
        spayon.on_paid(each)

    assert spayon.handlers.by_status["paid"] == [second]


def test_what_is_registered_again_keeps_its_place(spayon: Spayon) -> None:
    spayon.on_paid(plain)
    spayon.on_paid(print)
    second = spayon.on_paid(again(plain, "__main__"))  # type: ignore[arg-type]  # it is one

    assert spayon.handlers.by_status["paid"] == [second, print]


def set_up(spayon: Spayon, register: Callable[[Flask], None], *, first: bool) -> None:
    app = Flask("shop", root_path="tests")
    app.config.update(
        SPAYON_CLIENT_ID="id",
        SPAYON_CLIENT_SECRET="hush",
        SPAYON_CALLBACK_SECRET="hushhush",
        SPAYON_API_URL="http://127.0.0.1:9",
        SQLALCHEMY_DATABASE_URI="sqlite://",
    )
    spayon.db.init_app(app)

    if first:
        register(app)

    spayon.init_app(app)

    if not first:
        register(app)


def decorated(function: Callable[[Any], object]) -> Callable[[Any], object]:
    def wrapper(payment: object) -> object:
        return function(payment)

    return wrapper


@pytest.mark.parametrize("first", [True, False], ids=["before init_app", "after init_app"])
def test_a_factory_s_handlers_take_the_place_of_those_of_the_app_before(
    spayon: Spayon, first: bool
) -> None:
    apps: list[tuple[Flask, str]] = []

    def register(app: Flask) -> None:
        url = f"sqlite:///{len(apps)}"

        @spayon.on_paid
        def fulfil(_: object) -> tuple[Flask, str]:
            return app, url

        @spayon.on_paid
        @decorated
        def tell(_: object) -> None: ...

        @spayon.on_paid
        @decorated
        def count(_: object) -> None: ...

        spayon.on_paid(Caller(url))
        spayon.on_paid(functools.partial(print, app))
        apps.append((app, url))

    for _ in range(3):
        set_up(spayon, register, first=first)

    registered = spayon.handlers.by_status["paid"]
    assert len(registered) == 5
    assert registered[0]("payment") == apps[-1]


def test_a_loop_registers_a_handler_for_each_value(spayon: Spayon) -> None:
    def register(_: Flask) -> None:
        for channel in ("mail", "sms"):

            def tell(_: object, channel: str = channel) -> str:
                return channel

            spayon.on_paid(tell)
            spayon.on_paid(Caller(channel))
            spayon.on_paid(Mailer(channel).tell)

    for _ in range(2):
        set_up(spayon, register, first=True)

    assert len(spayon.handlers.by_status["paid"]) == 6


def test_a_closure_over_itself_is_compared_with_another(spayon: Spayon) -> None:
    def make() -> Callable[[object], object]:
        def tell(payment: object) -> object:
            return tell if payment else None

        return tell

    for _ in range(2):
        spayon.on_paid(make())

    assert len(spayon.handlers.by_status["paid"]) == 1


def test_a_shared_task_of_celery_is_not_looked_up_when_it_is_registered(spayon: Spayon) -> None:
    ran = []

    @shared_task  # type: ignore[untyped-decorator]  # Celery has no types
    def one(_: object) -> None:
        ran.append("one")

    @shared_task  # type: ignore[untyped-decorator]  # as above
    def two(_: object) -> None:
        ran.append("two")

    for task in (one, two):
        spayon.on_paid(task)

    Celery("shop", set_as_current=True, broker="memory://")

    for handler in spayon.handlers.by_status["paid"]:
        handler("payment")

    assert ran == ["one", "two"]
