"""Query plans: every statement on a request's way, or on reconcile's, goes by an index."""

from __future__ import annotations

import json
from collections.abc import Iterator
from collections.abc import Sequence
from datetime import datetime
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy import Executable
from sqlalchemy import event
from sqlalchemy import insert
from sqlalchemy import select
from sqlalchemy.types import NullType

from spayon_flask.models import table_of
from spayon_flask.storage.report_statements import ReportStatements
from spayon_flask.storage.statements import Statements
from spayon_flask.storage.work_statements import WorkStatements
from tests.shop import Shop


#: Enough rows for every planner to care; few of them are due, as it is in a shop.
ROWS = 10_000
DUE_EVERY = 1000


def test_every_statement_goes_by_an_index_and_sorts_nothing(any_shop: Shop) -> None:
    with any_shop.app.app_context(), any_shop.db.engine.connect() as connection:
        _fill(connection, any_shop)
        bad = {
            name: plan
            for name, statement in _statements(any_shop, connection.dialect.name)
            if (plan := _faults(connection, statement, _values(any_shop.clock())))
        }
        connection.rollback()

    assert bad == {}


def test_a_scan_and_a_sort_would_be_seen(any_shop: Shop) -> None:
    with any_shop.app.app_context(), any_shop.db.engine.connect() as connection:
        _fill(connection, any_shop)
        table = table_of(any_shop.spayon.Payment)
        scan = select(table.c.id).where(table.c.product_name == "Tea")
        sort = select(table.c.id).where(table.c.order_id == "A1").order_by(table.c.updated_at)
        seen = [bool(_faults(connection, statement, {})) for statement in (scan, sort)]
        connection.rollback()

    assert seen == [True, True]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_report_finds_its_payment_by_its_session_before_any_analyze(any_shop: Shop) -> None:
    statement = ReportStatements(
        table_of(any_shop.spayon.Payment), table_of(any_shop.spayon.Callback)
    ).insert_report.statement

    values = _values(any_shop.clock()) | {"the_status": "paid"}

    with any_shop.app.app_context(), any_shop.db.engine.connect() as connection:
        plan = _explain(connection, statement, values)[0][0][0]["Plan"]

    assert {node.get("Index Name") for node in _nodes(plan)} - {None} == {
        "uq_spayon_payment_session_id",
        "uq_spayon_callback_session_status",
    }


def test_every_parameter_is_of_a_type_that_we_chose(any_shop: Shop) -> None:
    with any_shop.app.app_context(), any_shop.db.engine.connect() as connection:
        untyped = {
            (name, bind.key)
            for name, statement in _statements(any_shop, connection.dialect.name)
            for bind in statement.compile(connection).binds.values()
            if isinstance(bind.type, NullType)
        }

    assert untyped == set()


def _statements(shop: Shop, dialect: str) -> Iterator[tuple[str, Any]]:
    """Give every statement but plain inserts, which look nothing up, and those of our reads."""
    payment, callback = table_of(shop.spayon.Payment), table_of(shop.spayon.Callback)

    for kind in (Statements, ReportStatements, WorkStatements):
        statements = kind(payment, callback)

        for name, statement in vars(statements).items():
            if isinstance(statement, Executable) and not name.startswith(("_", "insert_")):
                yield name, statement

    if dialect == "postgresql":
        yield "insert_report", ReportStatements(payment, callback).insert_report.statement

    yield "find by reference", select(payment).where(payment.c.reference == "reference-77")
    yield "find by session", select(payment).where(payment.c.session_id == "S77")


def _faults(connection: Connection, statement: Any, values: dict[str, Any]) -> list[str]:
    """Return what in the plan of *statement* reads a whole table or sorts."""
    dialect = connection.dialect.name
    rows = _explain(connection, statement, values)

    if dialect == "postgresql":
        types = [node["Node Type"] for node in _nodes(rows[0][0][0]["Plan"])]
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


def _explain(connection: Connection, statement: Any, values: dict[str, Any]) -> Sequence[Any]:
    """Return what the database says of how it would execute *statement*."""
    names = statement.compile(connection).params
    sql, parameters = _as_sent(
        connection, statement, {name: values[name] for name in names if name in values}
    )
    explain = {"postgresql": "EXPLAIN (FORMAT JSON)", "sqlite": "EXPLAIN QUERY PLAN"}
    word = explain.get(connection.dialect.name, "EXPLAIN")
    return connection.exec_driver_sql(f"{word} {sql}", parameters).all()


class _StoppedError(Exception):
    """The statement was seen; it need not run."""


def _as_sent(connection: Connection, statement: Any, values: dict[str, Any]) -> tuple[str, Any]:
    """Return *statement* and its parameters as the driver would have been given them."""
    seen: list[tuple[str, Any]] = []

    def stop(_: object, __: object, sql: str, parameters: Any, *___: object) -> None:
        seen.append((sql, parameters))
        raise _StoppedError

    event.listen(connection, "before_cursor_execute", stop)

    try:
        connection.execute(statement, values)

    except _StoppedError:
        pass

    finally:
        event.remove(connection, "before_cursor_execute", stop)

    return seen[0]


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan

    for part in plan.get("Plans", ()):
        yield from _nodes(part)


def _values(now: datetime) -> dict[str, Any]:
    """Return a value for each parameter that a statement may have."""
    moments = ("due_at", "checked_at", "updated_at", "expires_at", "dispatch_at", "quiet_since")
    the_moments = ("the_now", "the_received_at", "the_dispatch_at", "the_due_at")
    return {
        **dict.fromkeys((*moments, *the_moments), now),
        "the_account": "spayon",
        "the_id": 77,
        "the_ids": [77, 78],
        "the_limit": 5,
        "the_order_id": "A77",
        "the_session_id": "S77",
        "the_status": "pending",
        "the_superseded": False,
        "the_source": "callback",
        "the_verdict": "applied",
        "the_body": b"{}",
        "the_secret_index": 0,
        "the_decline_reasons": None,
        "account": "spayon",
        "session_id": "S77",
        "session_url": "http://127.0.0.1:9/pay/S77",
        "status": "paid",
        "review": None,
        "price": Decimal(1000),
        "currency": "AMD",
        "decline_reasons": None,
        "held_order_id": "A77",
        "superseded": False,
        "attempts": 1,
        "source": "callback",
        "verdict": "applied",
        "body": b"{}",
        "secret_index": 0,
    }


def _fill(connection: Connection, shop: Shop) -> None:
    now = shop.clock()
    payment, callback = table_of(shop.spayon.Payment), table_of(shop.spayon.Callback)
    connection.execute(insert(payment), [_payment(number, now) for number in range(1, ROWS + 1)])
    connection.execute(insert(callback), [_callback(number, now) for number in range(1, ROWS + 1)])
    connection.commit()
    analyze = "ANALYZE TABLE" if connection.dialect.name == "mysql" else "ANALYZE"

    for table in (payment, callback):
        connection.exec_driver_sql(f"{analyze} {table.name}")


def _payment(number: int, now: datetime) -> dict[str, Any]:
    due = number % DUE_EVERY == 0
    return {
        "account": "spayon",
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


def _callback(number: int, now: datetime) -> dict[str, Any]:
    return {
        "account": "spayon",
        "session_id": f"S{number}",
        "status": "paid",
        "source": "callback",
        "verdict": "applied",
        "body": b"{}",
        "received_at": now,
        "dispatch_at": now - timedelta(seconds=number) if number % DUE_EVERY == 0 else None,
    }
