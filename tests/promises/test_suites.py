"""A shop's own test suite: what we commit inside its outer transaction goes with it."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, update
from sqlalchemy.orm import scoped_session, sessionmaker

from spayon_flask.simulator import Simulator
from tests.promises.helpers import payments
from tests.reports import report
from tests.shop import Shop


@pytest.fixture
def outer(any_shop: Shop) -> Iterator[Connection]:
    """A connection with the transaction that ends with the test."""
    any_shop.add_order()

    with any_shop.app.app_context():
        engine = any_shop.db.engine

    with engine.connect() as connection:
        # As fixtures do. SQLite's driver begins a transaction with the first write.
        connection.execute(update(any_shop.orders).values(price="1000"))
        yield connection


def _wrap(shop: Shop, outer: Connection, mode: Any) -> scoped_session[Any]:
    """Have `db.session` work inside the outer transaction; return the session of before."""
    before = shop.db.session
    maker: Any = sessionmaker(bind=outer, join_transaction_mode=mode)
    shop.db.session = scoped_session(maker)
    return before


def _unwrap(shop: Shop, outer: Connection, before: scoped_session[Any]) -> None:
    shop.db.session.remove()
    shop.db.session = before
    outer.rollback()


MODES = ["create_savepoint", "conditional_savepoint", "rollback_only"]


@pytest.mark.parametrize("mode", MODES)
def test_what_we_commit_in_an_outer_transaction_is_undone_with_it(
    any_shop: Shop, outer: Connection, gateway: Simulator, mode: str
) -> None:
    before = _wrap(any_shop, outer, mode)

    try:
        client = any_shop.app.test_client()
        session_id = client.post("/pay/checkout/A1").location.rpartition("/")[2]

        # A test looks at its data in between.
        assert any_shop.db.session.get_one(any_shop.orders, "A1").price == "1000"
        assert any_shop.deliver(report(session_id)) == 200
        assert any_shop.deliver(report(session_id)) == 200
        assert any_shop.paid_times() == 1

    finally:
        _unwrap(any_shop, outer, before)

    assert (any_shop.paid_times(), payments(any_shop), any_shop.callbacks()) == (0, [], [])


def test_a_failing_handler_in_an_outer_transaction_with_savepoints_undoes_its_own_work_alone(
    any_shop: Shop, outer: Connection
) -> None:
    before = _wrap(any_shop, outer, "create_savepoint")

    def fail(*_: object) -> None:
        any_shop.db.session.flush()
        raise RuntimeError

    try:
        any_shop.add_payment()
        any_shop.handle = fail
        assert any_shop.deliver(report()) == 500
        assert (any_shop.paid_times(), any_shop.payment().status) == (0, "pending")

        any_shop.handle = None
        assert any_shop.deliver(report()) == 200
        assert any_shop.paid_times() == 1

    finally:
        _unwrap(any_shop, outer, before)

    assert (any_shop.paid_times(), payments(any_shop), any_shop.callbacks()) == (0, [], [])
