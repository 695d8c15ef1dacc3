"""Query plans: every statement on a request's way, or on reconcile's, goes by an index."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, insert, inspect

from spayon_flask import Order
from spayon_flask.domain.transitions import Wish
from tests.reports import report
from tests.shop import Shop

#: Enough rows for every planner to care; few of them are due, as it is in a shop.
ROWS = 10_000
DUE_EVERY = 1000

#: What has a plan that may be bad: no savepoint has one.
PLANNED = ("SELECT", "UPDATE", "DELETE", "WITH")

#: So many statements are seen at least, or the test has lost its way.
ENOUGH = 25


def test_every_statement_goes_by_an_index_and_sorts_nothing(any_shop: Shop) -> None:
    with any_shop.app.app_context(), any_shop.db.engine.connect() as connection:
        _fill(connection, any_shop)
        executed = _all_that_is_executed(any_shop)
        bad = {
            sql: plan
            for sql, parameters in executed.items()
            if (plan := faults(connection, sql, parameters))
        }

    assert len(executed) >= ENOUGH
    assert bad == {}


def test_a_scan_and_a_sort_would_be_seen(any_shop: Shop) -> None:
    with any_shop.app.app_context(), any_shop.db.engine.connect() as connection:
        _fill(connection, any_shop)
        scan = "SELECT id FROM spayon_payment WHERE product_name = 'Tea'"
        sort = "SELECT id FROM spayon_payment WHERE order_id = 'A1' ORDER BY updated_at"
        seen = [bool(faults(connection, sql, None)) for sql in (scan, sort)]

    assert seen == [True, True]


def _all_that_is_executed(shop: Shop) -> dict[str, Any]:
    """Do all that requests and reconcile do, and return each statement with its parameters."""
    shop.spayon.dispatcher(lambda _: None)
    shop.clock.step(60)

    for number in (1, 2):
        shop.add_order(f"A{DUE_EVERY * number}")

    with collected(shop) as executed, shop.app.app_context():
        storage = shop.spayon.state.storage
        now = shop.clock()

        # Reports: each status, doubtful, unknown, and of an order whose answer was lost.
        due = [f"S{DUE_EVERY * number}" for number in (1, 2)]
        orders = [each.replace("S", "A") for each in due]
        shop.deliver(report(due[0], "failed", orderId=orders[0]))
        shop.deliver(report(due[0], "paid", orderId=orders[0]))
        shop.deliver(report(due[1], "paid", orderId=orders[1], price="1"))
        shop.deliver(report("S-new", "paid", orderId="nobody's"))

        # A checkout: created, given up, refused, settled; the order has changed in between.
        order = Order(order_id="B1", product_name="Tea", price=Decimal(1), currency="AMD")
        wish = Wish(order, "http://shop.test")
        first = storage.checkouts.claim(wish, now=now).payment
        storage.checkouts.release(first.id)
        changed = replace(order, price=Decimal(2))
        wish = Wish(changed, "http://shop.test", known=first.id)
        second = storage.checkouts.claim(wish, now=now).payment
        address = ("S-new", "http://127.0.0.1:9/pay/S-new")
        storage.checkouts.settle(second.id, *address, asked_at=now, now=now)
        wish = Wish(order, "http://shop.test", known=second.id)
        storage.checkouts.claim(wish, now=now)
        shop.deliver(report("S-new", "failed", orderId="B1"))
        storage.queries.standing("B1", now=now)
        storage.queries.find(session_id="S-new")
        storage.queries.find(reference="reference-77")

        # What reconcile and people do.
        storage.schedule.claim_check(second.id, now=now)
        storage.schedule.count_due(now=now)
        storage.queries.look_again()

        for payment in storage.schedule.lease_due(now=now, limit=3):
            storage.schedule.postpone(payment.payment_id, until=now)

        storage.schedule.postpone_due(now=now, until=now)
        storage.schedule.expire_unanswered(first.id, now=now)
        held_back = storage.queries.find(session_id=due[1])
        assert held_back is not None
        storage.decisions.settle(held_back.id, accept=False, by="Ani", because="seen", now=now)

        for leased in storage.outbox.lease(now=now, due_by=now, limit=5):
            storage.outbox.hand_over(leased)

    return {sql: value for sql, value in executed.items() if sql.startswith(PLANNED)}


@contextmanager
def collected(shop: Shop) -> Iterator[dict[str, Any]]:
    """Collect each statement about our two tables, with parameters as the driver is given them."""
    executed: dict[str, Any] = {}

    def note(_: object, __: object, sql: str, parameters: Any, *___: object) -> None:
        # A write of nothing: SQLite's way to lock.
        if "spayon_" in sql and not (parameters and -1 in tuple(parameters)):
            executed.setdefault(sql, parameters)

    with shop.ahead_of_statements(note):
        yield executed


def faults(connection: Connection, sql: str, parameters: Any) -> list[str]:
    """Return what in the plan of *sql* reads a whole table or sorts."""
    dialect = connection.dialect.name
    rows = explain(connection, sql, parameters)

    if dialect == "postgresql":
        types = [node["Node Type"] for node in nodes(rows[0][0][0]["Plan"])]
        return [each for each in types if each in ("Seq Scan", "Sort")]

    if dialect == "sqlite":
        details = [str(row[3]) for row in rows]
        return [text for text in details if text.startswith("SCAN spayon") or "TEMP B-TREE" in text]

    return [
        json.dumps(dict(row._mapping), default=str)
        for row in rows
        if (str(row.table).startswith("spayon") and row.type in ("ALL", "index"))
        or "filesort" in (row.Extra or "")
    ]


def explain(connection: Connection, sql: str, parameters: Any) -> Sequence[Any]:
    """Return what the database says of how it would execute *sql*."""
    explain = {"postgresql": "EXPLAIN (FORMAT JSON)", "sqlite": "EXPLAIN QUERY PLAN"}
    word = explain.get(connection.dialect.name, "EXPLAIN")
    return connection.exec_driver_sql(f"{word} {sql}", parameters).all()


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield each node of a plan of PostgreSQL."""
    yield plan

    for part in plan.get("Plans", ()):
        yield from nodes(part)


def _fill(connection: Connection, shop: Shop) -> None:
    now, numbers = shop.clock(), range(1, ROWS + 1)
    payments = [payment_row(number, now) for number in numbers]
    fill(connection, shop, payments, [callback_row(number, now) for number in numbers])


def fill(
    connection: Connection,
    shop: Shop,
    payments: list[dict[str, Any]],
    callbacks: list[dict[str, Any]],
) -> None:
    """Insert the rows of both tables, and let the database learn what is in them."""
    for model, rows in ((shop.spayon.Payment, payments), (shop.spayon.Callback, callbacks)):
        table = inspect(model).local_table
        connection.execute(insert(table), rows)
        connection.commit()
        analyze = "ANALYZE TABLE" if connection.dialect.name == "mysql" else "ANALYZE"
        connection.exec_driver_sql(f"{analyze} {table.name}")

    connection.commit()


def payment_row(number: int, now: datetime) -> dict[str, Any]:
    """Return the payment of this number, which is paid; a few are due."""
    due = number % DUE_EVERY == 0
    return {
        "account": "spayon",
        "gateway": "127.0.0.1:9",
        "order_id": f"A{number}",
        "held_order_id": f"A{number}",
        "reference": f"reference-{number}",
        "session_id": f"S{number}",
        "status": "pending" if due else "paid",
        "product_name": "Tea",
        "price": Decimal(1000),
        "currency": "AMD",
        "superseded": False,
        "attempts": 0,
        "created_at": now,
        "updated_at": now,
        "due_at": now - timedelta(seconds=number) if due else None,
    }


def callback_row(number: int, now: datetime) -> dict[str, Any]:
    """Return the report of this number; a few are to be handed over."""
    return {
        "account": "spayon",
        "session_id": f"S{number}",
        "status": "pending",
        "source": "callback",
        "verdict": "unchanged",
        "body": b"{}",
        "received_at": now,
        "dispatch_at": now - timedelta(seconds=number) if number % DUE_EVERY == 0 else None,
    }
