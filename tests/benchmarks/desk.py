"""The desk over 5,000,000 payments of three years, and over smaller tables.

Against 250 rows a ratio tells what a page costs that shows more. Against the last 62 days of the
same payments, with nothing older, it tells what old rows cost: both tables have the same to add up.
"""

from __future__ import annotations

import time
from collections import defaultdict
from contextlib import ExitStack
from datetime import datetime
from datetime import timedelta
from datetime import timezone
from statistics import median
from typing import Any

from flask.testing import FlaskClient

from tests.benchmarks.databases import connect
from tests.benchmarks.databases import database
from tests.benchmarks.documents import Table
from tests.benchmarks.growth import INDEXES
from tests.benchmarks.growth import KEYS
from tests.benchmarks.growth import TABLES
from tests.benchmarks.reports import Figures
from tests.benchmarks.reports import Goal
from tests.benchmarks.rounds import ratio as rounds_ratio
from tests.conftest import dispose
from tests.shop import Shop
from tests.shop import make_shop


ROWS = 5_000_000

#: So few fill a page of each list with its 50 payments, and no more.
FEW = 250

#: The chart and the export of the month before need no more days than these.
DAYS = 62

#: So much slower than over a smaller table a page may be. Over empty tables it shows nothing.
MOST = 1.5

#: Three years up to the present; one of *rare* payments is under review, one of 5 has failed.
PAYMENTS = """
INSERT INTO spayon_payment (account, order_id, reference, session_id, status, review, product_name,
    price, currency, superseded, attempts, created_at, updated_at, paid_at, reported_price,
    reported_currency)
SELECT 'spayon', 'ORDER_' || n, md5('reference' || n), md5(n::text)::uuid::text, s.status,
    CASE WHEN s.status = 'review' THEN 'price_differs' END, 'Iphone 16S', 5000, 'AMD', false, 0,
    s.at, s.at, CASE WHEN s.status <> 'failed' THEN s.at END,
    CASE WHEN s.status <> 'failed' THEN 5000 END, CASE WHEN s.status <> 'failed' THEN 'AMD' END
FROM generate_series({first}, {rows}) AS n, LATERAL (SELECT
    CASE WHEN n %% {rare} = 0 THEN 'review' WHEN n %% 5 = 1 THEN 'failed' ELSE 'paid' END AS status,
    now() - interval '3 years' * (({rows} - n)::float / {rows}) AS at) AS s
"""
CALLBACKS = """
INSERT INTO spayon_callback (account, session_id, status, source, verdict, body, received_at)
SELECT 'spayon', md5(n::text)::uuid::text, 'paid', 'callback',
    CASE WHEN n %% {rare} = 3 THEN 'unknown' ELSE 'applied' END,
    convert_to(repeat('x', 250), 'UTF8'),
    now() - interval '3 years' * (({rows} - n)::float / {rows})
FROM generate_series({first}, {rows}) AS n
"""

#: What is measured, and its address. `{id}` is the newest payment.
PAGES = {
    "today": "",
    "payments, the newest": "/list",
    "payments, one status": "/list?status=failed",
    "payments, a whole order": "/list?q=ORDER_{order}",
    "payments, a part of a text": "/list?q=no-such-part",
    "one payment": "/{id}",
    "under review": "/reviews",
    "unknown reports": "/unknown",
    "export, totals of a day": "/export?from={day}&to={day}",
    "export, totals of a month": "/export",
}

#: They add up the payments of so many days.
SUMS = {"today": 1, "export, totals of a day": 1, "export, totals of a month": 31}


class _Evening:
    """The last second of yesterday, a day that has all its payments."""

    def __call__(self) -> datetime:
        today = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
        return today - timedelta(seconds=1)


def fill(url: str, rows: int, rare: int, first: int = 1) -> None:
    """Put the payments *first* to *rows* and as many callback rows into PostgreSQL."""
    with connect(url) as connection:
        # Indexes are built afterwards: keys that come in no order would take an hour.
        later = [*connection.exec_driver_sql(KEYS), *connection.exec_driver_sql(INDEXES)]

        for drop, _ in later:
            connection.exec_driver_sql(drop)

        for statement in (PAYMENTS, CALLBACKS):
            connection.exec_driver_sql(statement.format(first=first, rows=rows, rare=rare))

        for _, make in later:
            connection.exec_driver_sql(make.replace("%", "%%"))

        for table in TABLES:
            connection.exec_driver_sql(f"VACUUM ANALYZE {table}")

        connection.exec_driver_sql("CHECKPOINT")


def open_desk(url: str) -> tuple[Shop, FlaskClient]:
    """Return a shop on *url* with its desk, and a browser before it."""
    clock: Any = _Evening()
    shop = make_shop(url, clock=clock)
    blueprint = shop.spayon.staff(allowed=lambda: True)
    shop.app.register_blueprint(blueprint, url_prefix="/desk")
    return shop, shop.app.test_client()


def run(*, quick: bool, rows: int | None = None) -> Figures:
    """Measure each page over each size of the tables, interleaved."""
    most = rows or (20_000 if quick else ROWS)
    recent = most * DAYS // (3 * 365)
    # The number of payments, one rare payment of so many, and the first one.
    sizes = {
        "none": (0, 1, 1),
        "few": (FEW, 5, 1),
        "recent": (most, 1000, most - recent + 1),
        "many": (most, 1000, 1),
    }
    rounds = 5 if quick else 41
    seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
    day = _Evening()().date()

    with ExitStack() as stack:
        clients = {}

        for name, size in sizes.items():
            url = stack.enter_context(database("postgresql", f"desk_{name}"))
            shop, clients[name] = open_desk(url)
            stack.callback(dispose, shop)

            if size[0]:
                fill(url, *size)

        # The id of the newest payment: in the table of recent ones, ids begin anew.
        newest = {"none": 1, "few": FEW, "recent": recent, "many": most}

        for number in range(rounds + 1):
            # In another order each time, so that what else the machine does hits all alike.
            turn = number % len(clients)
            order = [*clients.items()][turn:] + [*clients.items()][:turn]

            for page, path in PAGES.items():
                for name, client in order:
                    address = path.format(id=newest[name], order=sizes[name][0], day=day)
                    began = time.perf_counter()
                    answer = client.get(f"/desk{address}")
                    taken = time.perf_counter() - began
                    assert answer.status_code == 200 or name == "none", (page, answer.status_code)

                    # The first round counts the days of the chart, and warms what is cached.
                    if number:
                        seconds[page, name].append(taken)

                    elif page == "today" and name == "many":
                        first = taken

    times = {key: median(values) for key, values in seconds.items()}

    def ratio(page: str, other: str) -> float:
        return rounds_ratio(seconds[page, other], seconds[page, "many"])

    return Figures(
        name="desk",
        table=Table(
            (
                "page",
                "empty tables",
                f"{FEW} rows",
                f"the last {DAYS} days ({recent:,} rows)",
                f"{most:,} rows",
                f"ratio to {FEW}",
                f"ratio to {DAYS} days",
            ),
            [
                (
                    page,
                    *(f"{times[page, name] * 1000:.1f} ms" for name in sizes),
                    f"{ratio(page, 'few'):.2f}",
                    f"{ratio(page, 'recent'):.2f}",
                )
                for page in PAGES
            ],
        ),
        goals=[
            *(
                Goal(
                    what=f"{page}: {most:,} rows against {FEW} (PostgreSQL)",
                    most=MOST,
                    value=ratio(page, "few"),
                    note=f"adds up about {most * 4 // 5 // 3 // 365 * SUMS[page]:,} payments"
                    if page in SUMS
                    else "",
                )
                for page in PAGES
            ),
            *(
                Goal(
                    what=f"{page}: {most:,} rows against the last {DAYS} days (PostgreSQL)",
                    most=MOST,
                    value=ratio(page, "recent"),
                    note="adds up the same payments",
                )
                for page in SUMS
            ),
        ],
        notes=[
            f"The first view of *today* counts 30 days: {first * 1000:.0f} ms.",
        ],
    )


def main() -> None:
    """Measure over so many rows as the command line says."""
    import argparse  # noqa: PLC0415  a program of its own

    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.desk")
    parser.add_argument("--rows", type=int, default=ROWS)
    print(run(quick=False, rows=parser.parse_args().rows).text(), flush=True)


if __name__ == "__main__":
    main()
