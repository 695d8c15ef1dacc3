"""The floor: Flask and the bare driver, three statements in one transaction a callback."""

import sqlite3
import threading
from datetime import datetime
from datetime import timezone
from typing import Any

from flask import Flask
from sqlalchemy import make_url

from tests.benchmarks.shops import database_url
from tests.benchmarks.shops.receiver import FOLLOWS
from tests.benchmarks.shops.receiver import Report
from tests.benchmarks.shops.receiver import add_callback
from tests.benchmarks.shops.tables import create
from tests.benchmarks.shops.tables import fill


__all__ = ["application", "create", "fill"]

url = make_url(database_url())
dialect = url.get_backend_name()

INSERT = (
    "INSERT INTO callback (session_id, status, body, received_at) VALUES (%s, %s, %s, %s)"
    " ON CONFLICT DO NOTHING"
)
APPLY = (
    "UPDATE payment SET status = %s, updated_at = %s WHERE session_id = %s AND status IN ({})"
    " AND order_id = %s AND price = %s AND currency = %s"
)
REVIEW = "UPDATE payment SET status = 'review', updated_at = %s WHERE session_id = %s"
SHIP = "UPDATE shop_order SET shipped = shipped + 1 WHERE id = %s"


def write_for_dialect(statement: str) -> str:
    """Turn a statement into what this database's driver takes."""
    if dialect == "sqlite":
        return statement.replace("%s", "?")

    if dialect == "mysql" and statement.startswith("INSERT"):
        return statement.replace("INSERT", "INSERT IGNORE").replace(" ON CONFLICT DO NOTHING", "")

    return statement


insert, review, ship = (write_for_dialect(text) for text in (INSERT, REVIEW, SHIP))
apply = {
    status: write_for_dialect(APPLY.format(", ".join(f"'{before}'" for before in befores)))
    for status, befores in FOLLOWS.items()
    if befores
}
local = threading.local()


def connect() -> Any:
    """Open a connection; each thread keeps one."""
    if dialect == "sqlite":
        return sqlite3.connect(url.database or "", isolation_level="IMMEDIATE")

    if dialect == "postgresql":
        import psycopg  # noqa: PLC0415  only the driver of this database

        return psycopg.connect(host=url.host, port=url.port, user=url.username, dbname=url.database)

    import pymysql  # noqa: PLC0415  on demand

    return pymysql.connect(
        host=url.host, port=url.port or 3306, user=url.username, database=url.database
    )


def record(report: Report) -> None:
    """Write the callback down and act on it, all of it or nothing."""
    connection = getattr(local, "connection", None)
    if connection is None:
        connection = local.connection = connect()

    try:
        cursor = connection.cursor()
        act(cursor, report)
        cursor.close()
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


def act(cursor: Any, report: Report) -> None:
    """Run the three statements; a duplicate ends after the first."""
    now = datetime.now(timezone.utc)
    moment = now.isoformat(" ") if dialect == "sqlite" else now
    price = str(report.price) if dialect == "sqlite" else report.price
    cursor.execute(insert, (report.session_id, report.status, report.body, moment))
    if cursor.rowcount == 0 or report.status not in apply:
        return

    cursor.execute(
        apply[report.status],
        (report.status, moment, report.session_id, report.order_id, price, report.currency),
    )
    if report.status != "paid":
        return

    if cursor.rowcount == 1:
        cursor.execute(ship, (report.order_id,))
    else:
        cursor.execute(review, (moment, report.session_id))


application = Flask(__name__)
add_callback(application, record)
