"""Promise 2 for the caller: nothing that the shop has written is dropped, or committed along."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import insert, literal, select, text, update

from spayon_flask import UncommittedChangesError
from spayon_flask.simulator import Simulator
from tests.promises.helpers import dialect, order
from tests.shop import Shop

Acting = Callable[[Shop], object]


def _by_text(shop: Shop) -> None:
    shop.db.session.execute(text("UPDATE shop_order SET price = '2' WHERE id = 'A1'"))


def _by_text_behind_a_comment(shop: Shop) -> None:
    shop.db.session.execute(
        text("/* audit */ -- why\n INSERT INTO shop_order VALUES ('A2', '1', 'AMD', 0)")
    )


def _by_core_on_the_connection(shop: Shop) -> None:
    shop.db.session.connection().execute(update(shop.orders).values(price="2"))


def _by_a_string_on_the_connection(shop: Shop) -> None:
    shop.db.session.connection().exec_driver_sql("DELETE FROM shop_order")


def _by_core(shop: Shop) -> None:
    shop.db.session.execute(insert(shop.orders).values(id="A2", price="1", currency="AMD"))


def _by_returning(shop: Shop) -> None:
    values = {"id": "A2", "price": "1", "currency": "AMD", "paid_times": 0}
    shop.db.session.scalars(insert(shop.orders).values(values).returning(shop.orders.id)).all()


def _by_a_common_table_expression(shop: Shop) -> None:
    # SQLite and PostgreSQL; MariaDB has no such INSERT.
    old = select(literal("A2").label("id")).cte("old")
    row = select(old.c.id, literal("1"), literal("AMD"), literal(0))
    columns = ["id", "price", "currency", "paid_times"]

    if dialect(shop) == "mysql":
        shop.db.session.execute(insert(shop.orders).from_select(columns, row))

    else:
        shop.db.session.execute(insert(shop.orders).from_select(columns, row).add_cte(old))


def _by_a_flush(shop: Shop) -> None:
    shop.db.session.get_one(shop.orders, "A1").price = "2"
    shop.db.session.flush()


def _by_an_object(shop: Shop) -> None:
    shop.db.session.add(shop.orders(id="A2", price="1", currency="AMD"))


def _in_a_savepoint(shop: Shop) -> None:
    with shop.db.session.begin_nested():
        shop.db.session.execute(text("UPDATE shop_order SET price = '2'"))


WRITES = [
    _by_text,
    _by_text_behind_a_comment,
    _by_core_on_the_connection,
    _by_a_string_on_the_connection,
    _by_core,
    _by_returning,
    _by_a_common_table_expression,
    _by_a_flush,
    _by_an_object,
    _in_a_savepoint,
]


def _with_lock(shop: Shop) -> None:
    shop.db.session.execute(select(shop.orders).with_for_update()).all()


def _with_weaker_lock(shop: Shop) -> None:
    if dialect(shop) == "postgresql":
        old = select(shop.orders.id).with_for_update(key_share=True).cte("old")
        shop.db.session.execute(select(old)).all()


def _through_a_common_table_expression(shop: Shop) -> None:
    shop.db.session.execute(text("WITH one AS (SELECT 1 AS n) SELECT n FROM one")).all()


def _by_an_object_that_is_read(shop: Shop) -> None:
    shop.db.session.get_one(shop.orders, "A1")


def _after_a_commit(shop: Shop) -> None:
    _by_text(shop)
    shop.db.session.commit()
    _by_an_object_that_is_read(shop)


def _after_a_rollback(shop: Shop) -> None:
    _by_core_on_the_connection(shop)
    shop.db.session.rollback()
    _by_an_object_that_is_read(shop)


def _while_somebody_else_writes(shop: Shop) -> None:
    """Write through a connection that the session has used before."""
    _by_an_object_that_is_read(shop)
    shop.db.session.commit()

    with shop.db.engine.begin() as connection:
        connection.execute(update(shop.orders).values(paid_times=0))

    _by_an_object_that_is_read(shop)


def _by_a_setting(shop: Shop) -> None:
    statement = {
        "sqlite": "PRAGMA cache_size = 2000",
        "postgresql": "SET LOCAL statement_timeout = 0",
        "mysql": "SET @mine = 1",
    }
    shop.db.session.execute(text(statement[dialect(shop)]))


READS = [
    _with_lock,
    _with_weaker_lock,
    _through_a_common_table_expression,
    _by_an_object_that_is_read,
    _after_a_commit,
    _after_a_rollback,
    _while_somebody_else_writes,
    _by_a_setting,
]


def _start_checkout(shop: Shop, _: int) -> object:
    return shop.spayon.start_checkout(order("A7"))


def _refresh(shop: Shop, payment_id: int) -> object:
    payment = shop.spayon.Payment()
    payment.id, payment.account = payment_id, "spayon"
    return shop.spayon.refresh(payment)


def _reconcile(shop: Shop, _: int) -> object:
    return shop.spayon.reconcile()


def _settle(shop: Shop, payment_id: int) -> object:
    settle = shop.spayon.state.storage.decisions.settle
    return settle(payment_id, accept=True, by="Ani", because="seen", now=shop.clock())


CALLS = [_start_checkout, _refresh, _reconcile, _settle]


def _name(function: Any) -> str:
    return str(function.__name__).strip("_")


class TestUncommitted:
    """What commits says so, rather than to drop or to take along what it finds."""

    @pytest.mark.parametrize("write", WRITES, ids=_name)
    @pytest.mark.parametrize("call", CALLS, ids=_name)
    def test_a_call_that_commits_refuses_what_was_written_and_drops_nothing(
        self, any_shop: Shop, write: Acting, call: Callable[[Shop, int], object]
    ) -> None:
        any_shop.add_order()
        any_shop.add_order("A7")
        payment_id = any_shop.add_payment("S1")

        with any_shop.app.app_context():
            before = _orders(any_shop)
            any_shop.db.session.rollback()
            write(any_shop)

            with pytest.raises(UncommittedChangesError, match="commit them or roll them back"):
                call(any_shop, payment_id)

            any_shop.db.session.commit()
            assert _orders(any_shop) != before

    @pytest.mark.parametrize("read", READS, ids=_name)
    def test_what_was_only_read_is_no_obstacle(
        self, any_shop: Shop, gateway: Simulator, read: Acting
    ) -> None:
        any_shop.add_order()
        any_shop.add_order("A7")

        with any_shop.app.app_context():
            read(any_shop)
            assert any_shop.spayon.start_checkout(order("A7")).session_url
            read(any_shop)
            assert any_shop.spayon.reconcile().asked == 1


def _orders(shop: Shop) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in shop.db.session.execute(text("SELECT * FROM shop_order"))]
