"""Handlers: which functions a shop can register, and what registering them twice does."""

import functools
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery, shared_task  # type: ignore[import-untyped]  # it has no types
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from spayon_flask import ConfigError, HandlerError, RegistrationError, Spayon
from spayon_flask.domain.handlers import Handlers, check_result, describe
from tests.shop import CONFIG


@pytest.fixture
def spayon() -> Spayon:
    return Spayon(SQLAlchemy())


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
    with pytest.raises(TypeError, match=f"{decorator}: tests.test_handlers.*nothing") as caught:
        getattr(spayon, decorator)(function)

    assert type(caught.value) is RegistrationError


@pytest.mark.parametrize("decorator", [*ONE_ARGUMENT, "on_details", "language"])
@pytest.mark.parametrize("given", [(), (None,), ("fulfil",), (7,), (SimpleNamespace(),), (Caller,)])
def test_what_is_no_function_and_a_decorator_with_parentheses_are_refused(
    spayon: Spayon, decorator: str, given: Any
) -> None:
    with pytest.raises(RegistrationError, match=r"takes a function, not .*without parentheses"):
        getattr(spayon, decorator)(*given)


@pytest.mark.parametrize(
    ("decorator", "arguments"), [("on_paid", 1), ("on_details", 2), ("language", 0)]
)
def test_a_function_that_takes_other_arguments_is_refused(
    spayon: Spayon, decorator: str, arguments: int
) -> None:
    def three(_a: object, _b: object, _c: object) -> None: ...

    with pytest.raises(RegistrationError, match=rf"three must take {arguments} argument"):
        getattr(spayon, decorator)(three)


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
    assert spayon.handlers.of_status("paid") == [function]


@pytest.mark.parametrize("function", [coroutine, async_generator, generator])
def test_a_result_that_nobody_runs_is_an_error(function: Any) -> None:
    def handler(payment: object) -> object:
        return function(payment)

    with pytest.raises(HandlerError, match=r"handler returned .*, which nobody runs"):
        check_result(handler, handler("payment"))


@pytest.mark.parametrize("result", [None, True, "text", [1], iter([1])])
def test_any_other_result_is_none_of_our_business(result: object) -> None:
    check_result(plain, result)


def make_app(spayon: Spayon) -> Flask:
    app = Flask("shop", root_path="tests")
    app.config.update(CONFIG, SQLALCHEMY_DATABASE_URI="sqlite://")
    spayon.db.init_app(app)
    return app


def ran(app: Flask, status: str = "paid") -> list[object]:
    """Return what the handlers of *app* return, in their order."""
    handlers = app.extensions["spayon"]["spayon"].handlers
    return [handler("payment") for handler in handlers.of_status(status)]


def saying(value: object) -> Callable[[object], object]:
    """Return a closure over *value*, whose code is the same for each value."""

    def handler(_: object) -> object:
        return value

    return handler


class Saying:
    def __init__(self, value: object) -> None:
        self.value = value

    def tell(self, _: object) -> object:
        return self.value

    __call__ = tell


def test_nothing_is_lost_whatever_the_functions_hold(spayon: Spayon) -> None:
    values = ["one", {"two": 2}, "same", "same"]

    for value in values:
        spayon.on_paid(saying(value))
        spayon.on_paid(functools.partial(lambda held, _: held, value))
        spayon.on_paid(lambda _, held=value: held)
        spayon.on_paid(Saying(value).tell)
        spayon.on_paid(Saying(value))

    app = make_app(spayon)
    spayon.init_app(app)

    assert ran(app) == [value for value in values for _ in range(5)]


def test_two_lambdas_on_one_line_are_two(spayon: Spayon) -> None:
    for each in (lambda _: 1, lambda _: 2):
        spayon.on_failed(each)

    app = make_app(spayon)
    spayon.init_app(app)

    assert ran(app, "failed") == [1, 2]


def bare(function: Callable[[Any], object]) -> Callable[[Any], object]:
    def wrapper(payment: object) -> object:
        return function(payment)

    return wrapper


def wraps(function: Callable[[Any], object]) -> Callable[[Any], object]:
    return functools.wraps(function)(bare(function))


@pytest.mark.parametrize("decorator", [bare, wraps])
def test_two_functions_behind_one_decorator_are_two_before_and_after_init_app(
    spayon: Spayon, decorator: Callable[[Any], Any]
) -> None:
    def hook(function: Callable[[Any], object]) -> None:
        spayon.on_paid(decorator(function))

    hook(lambda _: "before")
    app = make_app(spayon)
    spayon.init_app(app)
    hook(lambda _: "after")

    @spayon.on_paid
    @decorator
    def last(_: object) -> str:
        return "last"

    assert ran(app) == ["before", "after", "last"]


def test_the_same_function_runs_once_however_often_it_is_registered(spayon: Spayon) -> None:
    function, owner = saying("once"), Saying("method")

    for _ in range(2):
        spayon.on_paid(function)
        spayon.on_paid(owner.tell)

    app = make_app(spayon)
    spayon.init_app(app)
    spayon.on_paid(function)
    spayon.on_paid(owner.tell)
    other = make_app(spayon)
    spayon.init_app(other)

    assert ran(app) == ran(other) == ["once", "method"]


def test_an_app_that_serves_keeps_its_handlers_while_others_are_set_up(
    spayon: Spayon, monkeypatch: pytest.MonkeyPatch
) -> None:
    spayon.on_paid(saying("paid"))
    app = make_app(spayon)
    spayon.init_app(app)
    meanwhile: list[list[object]] = []
    put = Handlers.put

    def put_while_a_payment_is_recorded(*arguments: Any) -> None:
        meanwhile.append(ran(app))
        put(*arguments)

    monkeypatch.setattr(Handlers, "put", put_while_a_payment_is_recorded)
    spayon.on_failed(saying("failed"))
    spayon.init_app(make_app(spayon))

    assert meanwhile == [["paid"]] * len(meanwhile) != []


@pytest.mark.parametrize("first", [True, False], ids=["before init_app", "after init_app"])
def test_a_factory_that_runs_again_makes_no_handler_run_twice(spayon: Spayon, first: bool) -> None:
    spayon.on_paid(saying("module"))

    def create_app(number: int) -> Flask:
        app = make_app(spayon)

        if not first:
            spayon.init_app(app)

        @spayon.on_paid
        def fulfil(_: object) -> int:
            return number

        for channel in ("mail", "sms"):
            spayon.on_paid(saying(f"{channel} {number}"))

        loader: Any = saying(f"loader {number}")
        spayon.order_loader(loader)

        if first:
            spayon.init_app(app)

        return app

    apps = [create_app(number) for number in range(3)]

    for number, app in enumerate(apps):
        found: Any = app.extensions["spayon"]["spayon"].handlers.order_loader
        assert ran(app) == ["module", number, f"mail {number}", f"sms {number}"]
        assert found("key") == f"loader {number}"


def test_what_is_registered_after_init_app_counts_for_every_later_app(spayon: Spayon) -> None:
    first = make_app(spayon)
    spayon.init_app(first)
    spayon.on_paid(saying("after"))
    second = make_app(spayon)
    spayon.init_app(second)
    spayon.on_paid(saying("late"))

    assert ran(first) == ["after"]
    assert ran(second) == ["after", "late"]


def test_an_app_whose_settings_are_wrong_takes_no_handler_from_the_others(spayon: Spayon) -> None:
    def create_app(**config: object) -> Flask:
        app = make_app(spayon)
        app.config.update(config)
        spayon.on_paid(saying(len(config)))
        spayon.init_app(app)
        return app

    app = create_app()

    with pytest.raises(ConfigError):
        create_app(SPAYON_TIMEOUT="soon", SPAYON_CLIENT_ID=None)

    assert ran(app) == [0]


def test_a_module_that_is_imported_under_two_names_is_refused(
    spayon: Spayon, tmp_path: Path
) -> None:
    source = tmp_path / "shop.py"
    source.write_text("@spayon.on_paid\ndef fulfil(payment): ...\n")
    code = compile(source.read_text(), str(source), "exec")
    exec(code, {"__name__": "__main__", "spayon": spayon})

    with pytest.raises(RegistrationError, match="imported twice, as __main__ and as shop"):
        exec(code, {"__name__": "shop", "spayon": spayon})


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

    for handler in spayon.handlers.of_status("paid"):
        handler("payment")

    assert ran == ["one", "two"]
