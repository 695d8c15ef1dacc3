"""The desk with many old payments against few: python -m tests.benchmarks.desk [ROWS]."""

import sys
import time
from statistics import median

from sqlalchemy import event

from tests.benchmarks.databases import connect, database
from tests.kept import dispose
from tests.shop import make_shop
from tests.staff.conftest import Desk

FEW, MANY, ROUNDS = 250, 5_000_000, 30

PAGES = (
    *("", "/list", "/list?status=paid", "/list?q=A77", "/list?q=ready", "/{last}", "/reviews"),
    *("/unknown", "/export?from=2026-11-01&to=2026-11-07"),
)

#: Of 1,000 payments 90 have failed; 20 of all are under review and 20 in progress. The payments
#: are spread evenly over five years, up to the present moment of the shop.
PAYMENTS = """
INSERT INTO spayon_payment (account, gateway, order_id, order_key, held_order_id, reference,
    session_id, status, review, product_name, price, currency, superseded, attempts,
    handler_failures, created_at, updated_at, paid_at, reported_price, reported_currency)
SELECT 'spayon', '127.0.0.1:9', 'A' || n, 'K' || n, 'A' || n, 'reference-' || n, 'S' || n, status,
    CASE status WHEN 'review' THEN 'price_differs' END, 'Tea', 1000, 'AMD', false, 0, 0,
    moment, moment, paid_at, CASE WHEN paid_at IS NOT NULL THEN 1000 END,
    CASE WHEN paid_at IS NOT NULL THEN 'AMD' END
FROM (SELECT n, status, moment, CASE WHEN status IN ('paid', 'review') THEN moment END AS paid_at
    FROM (SELECT n, timestamptz '2026-11-22 12:00Z'
            - interval '1826 days' * (({rows} - n)::float / {rows}) AS moment,
        CASE WHEN n % ({rows} / 20) = 1 THEN 'review' WHEN n % ({rows} / 20) = 2 THEN 'pending'
            WHEN n % 100 < 9 THEN 'failed' ELSE 'paid' END AS status
        FROM generate_series(1, {rows}) AS n) AS numbered) AS decided
"""

CALLBACKS = """
INSERT INTO spayon_callback (account, session_id, status, source, verdict, body, received_at)
SELECT 'spayon', session_id, 'paid', 'callback',
    CASE WHEN id % ({rows} / 20) = 7 THEN 'unknown' ELSE 'applied' END, '{{}}', created_at
FROM spayon_payment
"""


def measure(rows: int) -> dict[str, tuple[float, float, int]]:
    """Return what each page takes with so many payments.

    These are milliseconds at the first time and as the median of all, and the statements.
    """
    with database("postgresql") as url:
        desk = Desk(make_shop(url))
        _fill(url, rows)
        statements: list[str] = []

        with desk.shop.app.app_context():
            engine = desk.shop.db.engine

        event.listen(engine, "before_cursor_execute", lambda *seen: statements.append(seen[2]))
        found = {page: _take(desk, page.format(last=rows), statements) for page in PAGES}
        dispose(desk.shop)

    return found


def _take(desk: Desk, page: str, statements: list[str]) -> tuple[float, float, int]:
    took = []

    for _ in range(ROUNDS):
        statements.clear()
        begun = time.perf_counter()
        assert desk.get(page).status_code == 200
        took.append(time.perf_counter() - begun)

    return took[0] * 1000, median(took) * 1000, len(statements)


def _fill(url: str, rows: int) -> None:
    """Fill both tables; an index is made in one go, which is faster than row by row."""
    with connect(url) as connection:
        kept = connection.exec_driver_sql(
            "SELECT indexname, indexdef FROM pg_indexes WHERE indexname LIKE 'ix_spayon%%'"
        ).all()

        for name, _ in kept:
            connection.exec_driver_sql(f"DROP INDEX {name}")

        for statement in (PAYMENTS, CALLBACKS):
            connection.exec_driver_sql(statement.format(rows=rows).replace("%", "%%"))

        for _, definition in kept:
            connection.exec_driver_sql(definition)

        connection.exec_driver_sql("VACUUM ANALYZE spayon_payment, spayon_callback")


def main() -> None:
    """Print a line for each page."""
    many = int(sys.argv[1]) if sys.argv[1:] else MANY
    few, found = measure(FEW), measure(many)

    for page, (first, took, number) in found.items():
        print(
            f"{page or '/':40} {number:3} statements {took:8.1f} ms with {many:,} payments (the "
            f"first time {first:.1f}), {few[page][1]:6.1f} ms with {FEW}: {took / few[page][1]:.2f}"
        )


if __name__ == "__main__":
    main()
