"""Query plans: no page of the desk reads a whole table, however many payments there are."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.staff.conftest import Desk
from tests.test_query_plans import (
    callback_row,
    collected,
    explain,
    faults,
    fill,
    nodes,
    payment_row,
)

#: Payments, one an hour; few of them are anything but paid.
ROWS = 20_000

PAGES = [
    *("", "/list", "/list?status=review", "/list?status=paid", "/list?q=nothing"),
    *("/list?from=2026-10-01&to=2026-10-03", "/list?status=failed&from=2026-10-01"),
    *("/list?after=1795000000000000.7", "/list?status=paid&after=1795000000000000.7"),
    *("/1", "/20000", "/reviews", "/reviews?after=1700000000000000.7", "/unknown"),
    *("/unknown?before=17", "/export?from=2026-10-01&to=2026-10-07"),
    "/export.csv?from=2026-10-01&to=2026-10-07",
]


def test_every_statement_of_the_desk_goes_by_an_index(any_desk: Desk) -> None:
    shop = any_desk.shop
    shop.spayon.dispatcher(lambda _: None)

    with shop.app.app_context(), shop.db.engine.connect() as connection:
        _fill(any_desk, connection)

        with collected(shop) as executed:
            for page in PAGES:
                assert any_desk.get(page).status_code == 200

        bad = {
            sql: plan
            for sql, parameters in executed.items()
            if (plan := [each for each in faults(connection, sql, parameters) if _is_bad(each)])
        }

    assert len(executed) >= 20
    assert bad == {}


@pytest.mark.parametrize("any_desk", ["postgresql"], indirect=True)
@pytest.mark.parametrize("page", ["", "/export?from=2026-10-01&to=2026-10-07"])
def test_postgresql_counts_and_adds_up_without_reading_a_row(any_desk: Desk, page: str) -> None:
    shop = any_desk.shop
    shop.spayon.dispatcher(lambda _: None)

    with shop.app.app_context(), shop.db.engine.connect() as connection:
        _fill(any_desk, connection)
        # Only vacuum notes of a page that everybody may see its rows, so that an index is enough.
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.exec_driver_sql("VACUUM ANALYZE spayon_payment, spayon_callback")

        with collected(shop) as executed:
            assert any_desk.get(page).status_code == 200

        scans = [
            (node["Node Type"], sql)
            for sql, parameters in executed.items()
            # What waits is little: the rows that an outage has left.
            if not any(each in sql for each in ("dispatch_at", "attempts", "handler_failed_at"))
            for node in nodes(explain(connection, sql, parameters)[0][0][0]["Plan"])
            if "Scan" in node["Node Type"]
        ]

    assert scans
    assert [each for each in scans if each[0] != "Index Only Scan"] == []


def _is_bad(fault: str) -> bool:
    # To sort what an index has found already (the days of a period, one order's payments) is
    # little, and so is what a search looks through; a scan of the table is not.
    sorts = ("Sort", "USE TEMP B-TREE")
    on_mariadb = ('"type": "r', '"table": "<derived')
    return not fault.startswith(sorts) and not any(each in fault for each in on_mariadb)


def _fill(desk: Desk, connection: Any) -> None:
    now = desk.shop.clock()
    payments, callbacks = [], []

    for number in range(1, ROWS + 1):
        moment = now - timedelta(hours=ROWS - number)
        status = {1: "review", 2: "pending", 3: "failed"}.get(number % 1000, "paid")
        paid = status in ("paid", "review")
        payments.append(
            payment_row(number, moment)
            | {
                "order_key": f"K{number}",
                "status": status,
                "review": "price_differs" if status == "review" else None,
                "paid_at": moment if paid else None,
                "reported_price": Decimal(1000) if paid else None,
                "reported_currency": "AMD" if paid else None,
                "due_at": None,
            }
        )
        verdict = "unknown" if number % 1000 == 7 else "applied"
        callbacks.append(
            callback_row(number, moment)
            | {"status": "paid", "verdict": verdict, "dispatch_at": None}
        )

    fill(connection, desk.shop, payments, callbacks)
