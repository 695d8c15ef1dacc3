"""Whether callbacks grow dearer as the tables do: first deliveries over 0 to 5,000,000 old rows."""

from collections import defaultdict
from contextlib import ExitStack
from statistics import median

from tests.benchmarks.contenders import CONTENDERS
from tests.benchmarks.databases import connect
from tests.benchmarks.databases import database
from tests.benchmarks.databases import number
from tests.benchmarks.documents import Table
from tests.benchmarks.reports import Figures
from tests.benchmarks.reports import Goal
from tests.benchmarks.rounds import ratio
from tests.benchmarks.servers import Workers
from tests.benchmarks.servers import manage
from tests.benchmarks.servers import serve


SIZES = (0, 100_000, 5_000_000)

#: Old rows are numbered from here on, far from the new ones.
OLD = 1_000_000_000

PAYMENTS = """
INSERT INTO spayon_payment (account, order_id, held_order_id, reference, session_id, session_url,
    status, product_name, price, currency, superseded, attempts, created_at, updated_at, expires_at)
SELECT 'spayon', 'ORDER_' || n, CASE WHEN n %% 5 > 0 THEN 'ORDER_' || n END, md5('reference' || n),
    md5(n::text)::uuid::text, 'https://pay.example/' || md5(n::text)::uuid,
    CASE WHEN n %% 5 > 0 THEN 'paid' ELSE 'expired' END, 'Iphone 16S', 5000, 'AMD', false, 0,
    now() - interval '30 days', now() - interval '30 days', now() - interval '30 days'
FROM generate_series({first}, {last}) AS n
"""
CALLBACKS = """
INSERT INTO spayon_callback (account, session_id, status, source, verdict, body, received_at)
SELECT 'spayon', md5(n::text)::uuid::text, CASE WHEN n %% 5 > 0 THEN 'paid' ELSE 'expired' END,
    'callback', 'applied', convert_to(repeat('x', 250), 'UTF8'), now() - interval '30 days'
FROM generate_series({first}, {last}) AS n
"""


TABLES = ("spayon_payment", "spayon_callback")
KEYS = """
SELECT format('ALTER TABLE %%s DROP CONSTRAINT %%I', conrelid::regclass, conname),
    format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', conrelid::regclass, conname,
        pg_get_constraintdef(oid))
FROM pg_constraint WHERE contype = 'u' AND conrelid::regclass::text LIKE 'spayon%%'
"""
INDEXES = """
SELECT format('DROP INDEX %%I', indexname), indexdef FROM pg_indexes
WHERE tablename LIKE 'spayon%%' AND indexname LIKE 'ix%%'
"""


def fill(url: str, rows: int) -> None:
    """Put *rows* payments that are over, and as many callbacks, into PostgreSQL."""
    with connect(url) as connection:
        # Indexes are built afterwards: keys that come in no order would take an hour.
        later = [*connection.exec_driver_sql(KEYS), *connection.exec_driver_sql(INDEXES)]
        for drop, _ in later:
            connection.exec_driver_sql(drop)

        if rows:
            for statement in (PAYMENTS, CALLBACKS):
                connection.exec_driver_sql(statement.format(first=OLD, last=OLD + rows - 1))

        for _, make in later:
            connection.exec_driver_sql(make.replace("%", "%%"))

        for table in TABLES:
            connection.exec_driver_sql(f"VACUUM ANALYZE {table}")

        connection.exec_driver_sql("CHECKPOINT")


def run(*, quick: bool) -> Figures:
    """Measure first deliveries over each number of old rows, interleaved."""
    sizes = (0, 20_000) if quick else SIZES
    rounds, requests = (3, 100) if quick else (7, 250)
    seconds: dict[int, list[float]] = defaultdict(list)
    bytes_: dict[int, int] = {}
    contender = CONTENDERS["ours"]
    with ExitStack() as stack:
        servers = []
        for size in sizes:
            url = stack.enter_context(database("postgresql", f"growth_{size}"))
            manage(contender, url, "create")
            fill(url, size)
            manage(contender, url, "fill", 0, (rounds + 1) * requests)
            bytes_[size] = number(url, "SELECT pg_database_size(current_database())")
            servers.append((size, stack.enter_context(serve(contender, url, Workers()))))

        for this in range(rounds + 1):
            turn = this % len(servers)
            for size, server in servers[turn:] + servers[:turn]:
                outcome = server.send(
                    server.requests(range(this * requests, (this + 1) * requests))
                )
                assert outcome.answers == {200: requests}, outcome.answers
                if this:
                    seconds[size].append(outcome.seconds / requests)

    most = sizes[-1]
    return Figures(
        name="growth",
        table=Table(
            ("old rows in each table", "first deliveries a second", "ratio", "database"),
            [
                (
                    f"{size:,}",
                    f"{1 / median(seconds[size]):,.0f}",
                    f"{ratio(seconds[size], seconds[0]):.2f}",
                    f"{bytes_[size] / 2**20:,.0f} MB",
                )
                for size in sizes
            ],
        ),
        goals=[
            Goal(
                what=f"first delivery with {most:,} old rows against none (PostgreSQL)",
                least=0.95,
                value=ratio(seconds[most], seconds[0]),
            )
        ],
    )
