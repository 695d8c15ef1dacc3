"""What the promise tests share: other hosts, simultaneous calls, what is done and looked at."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import copy
from decimal import Decimal
from typing import Any, NoReturn, TypeVar

import pytest
from sqlalchemy import TextClause, make_url, text
from werkzeug.test import TestResponse

from spayon_flask import GatewayUnavailableError, Order
from spayon_flask.reconcile import Summary
from spayon_flask.simulator import Simulator
from tests.kept import dispose
from tests.reports import report
from tests.shop import Clock, Shop, make_shop
from tests.vendors import Market

_T = TypeVar("_T")

#: How each server is made to say that it chose this very transaction to end a deadlock.
_DEADLOCK = {
    "postgresql": "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40P01'; END $$",
    "mysql": "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213",
    "mariadb": "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213",
}


class Fleet:
    """Instances of shops, each with its own app, engine and connections."""

    def __init__(self) -> None:
        self._shops: list[Shop] = []

    def join(self, shop: Shop, clock: Clock | None = None, **config: Any) -> Shop:
        """Return one more instance on the database of *shop*, with its gateway.

        Its clock is *clock*, or one of its own, which shows the same until it is stepped.
        """
        url = shop.app.config["SQLALCHEMY_DATABASE_URI"]
        config = {"SPAYON_API_URL": shop.app.config["SPAYON_API_URL"]} | config
        twin = make_shop(url, fresh=False, clock=clock or copy(shop.clock), **config)
        self._shops.append(twin)
        return twin

    def close(self) -> None:
        """Close all connections."""
        for shop in self._shops:
            dispose(shop)


def at_once(calls: Sequence[Callable[[], _T]]) -> list[_T]:
    """Return what *calls* return, having begun all of them at the same moment."""
    gate = threading.Barrier(len(calls))

    def run(call: Callable[[], _T]) -> _T:
        gate.wait(30)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


@contextmanager
def statements(shop: Shop) -> Iterator[list[str]]:
    """Collect the SQL that *shop* executes inside the block."""
    executed: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        executed.append(statement)

    with shop.ahead_of_statements(note):
        yield executed


def order(order_id: str = "A1", price: str | None = "1000", **fields: Any) -> Order:
    """Return an order as the shop's loader makes it."""
    values: dict[str, Any] = {
        "product_name": "Tea",
        "price": price and Decimal(price),
        "currency": "AMD",
    } | fields
    return Order(order_id=order_id, **values)


def start(shop: Shop, order: Order) -> Any:
    """Start a checkout; return the payment, detached."""
    with shop.app.app_context():
        payment = shop.spayon.start_checkout(order)
        shop.db.session.expunge(payment)
        return payment


def post_checkout(shop: Shop, order_id: str = "A1", **typed: str) -> TestResponse:
    """Press "Continue to payment"; return the answer."""
    return shop.app.test_client().post(f"/pay/checkout/{order_id}", data=typed)


def lose_the_answer(shop: Shop, gateway: Simulator) -> Any:
    """Insert an order, and start a checkout whose answers never arrive; return the session."""
    shop.add_order()
    fault = gateway.fault("drop_after", on="sessions", times=None)

    with pytest.raises(GatewayUnavailableError):
        start(shop, order())

    gateway.faults.clear(fault.number)
    return gateway.sessions.of_order("A1")[0]


def execute(shop: Shop, *executed: str) -> None:
    """Execute some SQL on the shop's database, and commit it."""
    with shop.app.app_context(), shop.db.engine.begin() as connection:
        for statement in executed:
            connection.exec_driver_sql(statement)


def paid_in_silence(gateway: Simulator, session_id: str) -> bytes:
    """Pay at the gateway, and hold the callback back; return the callback's body."""
    gateway.hold_callbacks()
    gateway.pay(session_id, wait=False)
    return gateway.deliveries.of(session_id)[0].body


def fail(*_: object) -> NoReturn:
    """Fail, as a handler, a dispatcher or a gateway does on a bad day."""
    raise RuntimeError("no goods left")


def is_undone(shop: Shop, handle: Callable[..., object]) -> None:
    """Deliver a `paid` whose handler is *handle*: that is a 500, and nothing is kept."""
    shop.handle = handle
    assert shop.deliver(report()) == 500
    assert (shop.payment().status, shop.callbacks()) == ("pending", [])
    assert shop.paid_times() == 0


def counts_once_mended(shop: Shop) -> None:
    """Deliver the `paid` again, to a handler that does its work: it counts, once."""
    shop.handle = None
    assert shop.deliver(report()) == 200
    assert (shop.payment().status, shop.paid_times()) == ("paid", 1)


def fail_for_days(
    shop: Shop, status: str = "paid", *, days: float = 3, times: int = 5
) -> list[int]:
    """Deliver a report so often, the last time after so many days; return the answers."""
    answers = [shop.deliver(report(status=status)) for _ in range(times - 1)]
    shop.clock.step(days * 24 * 3600)
    return [*answers, shop.deliver(report(status=status))]


def change_order(shop: Shop, order_id: str = "A1", **values: object) -> None:
    """Change an order of the shop, and commit that."""
    with shop.app.app_context():
        for name, value in values.items():
            setattr(shop.db.session.get_one(shop.orders, order_id), name, value)

        shop.db.session.commit()


def price_of(shop: Shop, order_id: str = "A1") -> str:
    """Return the price of an order, by the database."""
    with shop.app.app_context():
        return str(shop.db.session.get_one(shop.orders, order_id).price)


def reconcile(shop: Shop | Market, **options: Any) -> Summary:
    """Ask about all that is due, as the command does."""
    with shop.app.app_context():
        return shop.spayon.reconcile(**options)


def settle(shop: Shop, session_id: str = "S1", *, accept: bool) -> None:
    """Settle a review, as a person does at the desk."""
    payment_id = shop.payment(session_id).id

    with shop.app.app_context():
        shop.spayon.state.storage.decisions.settle(
            payment_id, accept=accept, by="Ani", because="seen", now=shop.clock()
        )


def refresh(shop: Shop, session_id: str = "S1") -> str:
    """Ask the gateway as the return page does; return the payment's status."""
    payment = shop.payment(session_id)

    with shop.app.app_context():
        return str(shop.spayon.refresh(payment).status)


def payments(shop: Shop, order_id: str = "A1") -> list[Any]:
    """Return all payments of an order, oldest first, detached."""
    with shop.app.app_context():
        model = shop.spayon.Payment
        found = shop.db.session.scalars(
            shop.db.select(model).filter_by(order_id=order_id).order_by(model.id)
        ).all()
        shop.db.session.expunge_all()
        return list(found)


def pass_time(shop: Shop, gateway: Simulator, seconds: float) -> None:
    """Let *seconds* pass for the shop and for the gateway."""
    shop.clock.step(seconds)
    gateway.clock.step(seconds)


def wait_by(shop: Shop, wait: Callable[[float], object]) -> None:
    """From now on *wait* is called where a checkout of the shop would sleep."""
    shop.app.extensions["spayon"]["spayon"].checkout.sleep = wait


def fast_forward(shop: Shop) -> None:
    """From now on the shop's clock moves where a checkout of it would sleep."""
    wait_by(shop, shop.clock.step)


@contextmanager
def just_before(shop: Shop, statement: str, act: Callable[[], object]) -> Iterator[None]:
    """Call *act* once, when *shop* is about to execute *statement*, which is a part of it."""
    acts = [act]

    def interfere(_c: object, _cursor: object, executed: str, *_: object) -> None:
        if acts and statement in executed:
            acts.pop()()

    with shop.ahead_of_statements(interfere):
        yield


def deadlock_in(shop: Shop) -> TextClause:
    """Return a statement by which the server of *shop* says that it has ended a deadlock."""
    return text(_DEADLOCK[dialect(shop)])


def dialect(shop: Shop) -> str:
    """Return what SQLAlchemy calls the database of *shop*."""
    return make_url(shop.app.config["SQLALCHEMY_DATABASE_URI"]).get_backend_name()
