"""Promise 2 for the caller: nothing that the shop has written is dropped, or committed along."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import insert, literal, select, text, update

from spayon_flask import UncommittedChangesError
from spayon_flask.simulator import Simulator
from tests.promises.helpers import dialect, execute, order
from tests.shop import Shop

Acting = Callable[[Shop], object]


def _by_a_common_table_expression(shop: Shop) -> None:
    # SQLite and PostgreSQL; MariaDB has no such INSERT.
    old = select(literal("A2").label("id")).cte("old")
    row = select(old.c.id, literal("1"), literal("AMD"), literal(0))
    statement = insert(shop.orders).from_select([*NEW], row)

    if dialect(shop) != "mysql":
        statement = statement.add_cte(old)

    shop.db.session.execute(statement)


def _by_a_flush(shop: Shop) -> None:
    shop.db.session.get_one(shop.orders, "A1").price = "2"
    shop.db.session.flush()


def _in_a_savepoint(shop: Shop) -> None:
    with shop.db.session.begin_nested():
        shop.db.session.execute(text("UPDATE shop_order SET price = '2'"))


NEW = {"id": "A2", "price": "1", "currency": "AMD", "paid_times": 0}

WRITES: dict[str, Acting] = {
    "by_text": lambda shop: shop.db.session.execute(text("UPDATE shop_order SET price = '2'")),
    "by_text_behind_a_comment": lambda shop: shop.db.session.execute(
        text("/* audit */ -- why\n INSERT INTO shop_order VALUES ('A2', '1', 'AMD', 0)")
    ),
    "by_core": lambda shop: shop.db.session.execute(insert(shop.orders).values(NEW)),
    "by_core_on_the_connection": lambda shop: shop.db.session.connection().execute(
        update(shop.orders).values(price="2")
    ),
    "by_a_string_on_the_connection": lambda shop: shop.db.session.connection().exec_driver_sql(
        "DELETE FROM shop_order"
    ),
    "by_returning": lambda shop: shop.db.session.scalars(
        insert(shop.orders).values(NEW).returning(shop.orders.id)
    ).all(),
    "by_a_common_table_expression": _by_a_common_table_expression,
    "by_a_flush": _by_a_flush,
    "by_an_object": lambda shop: shop.db.session.add(shop.orders(**NEW)),
    "in_a_savepoint": _in_a_savepoint,
}


def _with_weaker_lock(shop: Shop) -> None:
    if dialect(shop) == "postgresql":
        old = select(shop.orders.id).with_for_update(key_share=True).cte("old")
        shop.db.session.execute(select(old)).all()


def _by_an_object(shop: Shop) -> None:
    shop.db.session.get_one(shop.orders, "A1")


def _after_a_commit(shop: Shop) -> None:
    WRITES["by_text"](shop)
    shop.db.session.commit()
    _by_an_object(shop)


def _after_a_rollback(shop: Shop) -> None:
    WRITES["by_core_on_the_connection"](shop)
    shop.db.session.rollback()
    _by_an_object(shop)


def _while_somebody_else_writes(shop: Shop) -> None:
    """Write through a connection that the session has used before."""
    _by_an_object(shop)
    shop.db.session.commit()
    execute(shop, "UPDATE shop_order SET paid_times = 0")
    _by_an_object(shop)


def _by_a_setting(shop: Shop) -> None:
    statement = {
        "sqlite": "PRAGMA cache_size = 2000",
        "postgresql": "SET LOCAL statement_timeout = 0",
        "mysql": "SET @mine = 1",
    }
    shop.db.session.execute(text(statement[dialect(shop)]))


READS: dict[str, Acting] = {
    "with_lock": lambda shop: shop.db.session.execute(select(shop.orders).with_for_update()).all(),
    "with_weaker_lock": _with_weaker_lock,
    "through_a_common_table_expression": lambda shop: shop.db.session.execute(
        text("WITH one AS (SELECT 1 AS n) SELECT n FROM one")
    ).all(),
    "by_an_object": _by_an_object,
    "after_a_commit": _after_a_commit,
    "after_a_rollback": _after_a_rollback,
    "while_somebody_else_writes": _while_somebody_else_writes,
    "by_a_setting": _by_a_setting,
}


def _refresh(shop: Shop, payment_id: int) -> object:
    payment = shop.spayon.Payment()
    payment.id, payment.account = payment_id, "spayon"
    return shop.spayon.refresh(payment)


def _settle(shop: Shop, payment_id: int) -> object:
    settle = shop.spayon.state.storage.decisions.settle
    return settle(payment_id, accept=True, by="Ani", because="seen", now=shop.clock())


CALLS: dict[str, Callable[[Shop, int], object]] = {
    "start_checkout": lambda shop, _: shop.spayon.start_checkout(order("A7")),
    "refresh": _refresh,
    "reconcile": lambda shop, _: shop.spayon.reconcile(),
    "settle": _settle,
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_call_that_commits_refuses_what_was_written_and_drops_nothing(
    any_shop: Shop, write: Acting, call: Callable[[Shop, int], object]
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


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_what_was_only_read_is_no_obstacle(
    any_shop: Shop, gateway: Simulator, read: Acting
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
