"""A shop's own test suite: what we commit inside its outer transaction goes with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, update
from sqlalchemy.orm import scoped_session, sessionmaker

from spayon_flask.simulator import Simulator
from tests.promises.helpers import counts_once_mended, is_undone, payments, post_checkout
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


@contextmanager
def _all_is_undone(shop: Shop, outer: Connection, mode: Any) -> Iterator[None]:
    """Have `db.session` work inside the outer transaction, which is rolled back: nothing stays."""
    before = shop.db.session
    maker: Any = sessionmaker(bind=outer, join_transaction_mode=mode)
    shop.db.session = scoped_session(maker)

    try:
        yield

    finally:
        shop.db.session.remove()
        shop.db.session = before
        outer.rollback()

    assert (shop.paid_times(), payments(shop), shop.callbacks()) == (0, [], [])


@pytest.mark.parametrize("mode", ["create_savepoint", "conditional_savepoint", "rollback_only"])
def test_what_we_commit_in_an_outer_transaction_is_undone_with_it(
    any_shop: Shop, outer: Connection, gateway: Simulator, mode: str
) -> None:
    with _all_is_undone(any_shop, outer, mode):
        session_id = post_checkout(any_shop).location.rpartition("/")[2]

        # A test looks at its data in between.
        assert any_shop.db.session.get_one(any_shop.orders, "A1").price == "1000"
        assert any_shop.deliver(report(session_id)) == 200
        assert any_shop.deliver(report(session_id)) == 200
        assert any_shop.paid_times() == 1


def test_a_failing_handler_in_an_outer_transaction_with_savepoints_undoes_its_own_work_alone(
    any_shop: Shop, outer: Connection
) -> None:
    def write_and_fail(*_: object) -> None:
        any_shop.db.session.flush()
        raise RuntimeError

    with _all_is_undone(any_shop, outer, "create_savepoint"):
        any_shop.add_payment()
        is_undone(any_shop, write_and_fail)
        counts_once_mended(any_shop)
