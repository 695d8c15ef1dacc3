"""What the promise tests share: instances on other hosts, simultaneous calls."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, TypeVar

import pytest
from sqlalchemy import TextClause, make_url, text

from spayon_flask import GatewayUnavailableError, Order
from spayon_flask.simulator import Simulator
from tests.kept import dispose
from tests.shop import Shop, make_shop

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

    def join(self, shop: Shop, **config: Any) -> Shop:
        """Return one more instance on the database of *shop*, with its clock and its gateway."""
        url = shop.app.config["SQLALCHEMY_DATABASE_URI"]
        config = {"SPAYON_API_URL": shop.app.config["SPAYON_API_URL"]} | config
        twin = make_shop(url, fresh=False, **config)
        twin.clock.now = shop.clock.now
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


def lose_the_answer(shop: Shop, gateway: Simulator) -> Any:
    """Start a checkout whose answers never arrive; return its payment session at the gateway."""
    fault = gateway.fault("drop_after", on="sessions", times=None)

    with pytest.raises(GatewayUnavailableError):
        start(shop, order())

    gateway.faults.clear(fault.number)
    return gateway.sessions.of_order("A1")[0]


def refresh(shop: Shop, session_id: str = "S1") -> str:
    """Ask the gateway as the return page does; return the payment's status."""
    with shop.app.app_context():
        payment = shop.db.session.scalars(
            shop.db.select(shop.spayon.Payment).filter_by(session_id=session_id)
        ).one()
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


def fast_forward(shop: Shop) -> None:
    """From now on the shop's clock moves where a checkout of it would sleep."""
    state = shop.app.extensions["spayon"]["spayon"]
    state.checkout.sleep = shop.clock.step


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
