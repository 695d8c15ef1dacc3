"""The same floor through Flask-SQLAlchemy's session, its statements written in Core."""

from datetime import datetime, timezone
from typing import Any

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import update
from sqlalchemy.dialects import postgresql, sqlite

from tests.benchmarks.shops import database_url
from tests.benchmarks.shops.receiver import FOLLOWS, Report, add_callback
from tests.benchmarks.shops.tables import callbacks, create, fill, orders, payments

__all__ = ["application", "create", "fill"]

db = SQLAlchemy()


def record(report: Report) -> None:
    """Write the callback down and act on it, all of it or nothing: a duplicate ends at once.

    What an error has left is rolled back as the session is removed, behind the request.
    """
    now = datetime.now(timezone.utc)
    insert: Any = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}[db.engine.dialect.name]
    recorded = db.session.scalar(
        insert(callbacks)
        .on_conflict_do_nothing()
        .values(
            session_id=report.session_id, status=report.status, body=report.body, received_at=now
        )
        .returning(callbacks.c.id)
    )

    if recorded is not None and FOLLOWS[report.status]:
        act(report, now)

    db.session.commit()


def act(report: Report, now: datetime) -> None:
    """Write the status of the payment, and ship its order; what is in doubt goes to review."""
    applied: Any = db.session.execute(
        update(payments)
        .where(
            payments.c.session_id == report.session_id,
            payments.c.status.in_(FOLLOWS[report.status]),
            payments.c.order_id == report.order_id,
            payments.c.price == report.price,
            payments.c.currency == report.currency,
        )
        .values(status=report.status, updated_at=now)
    )

    if report.status != "paid":
        return

    if applied.rowcount == 1:
        shipped = orders.c.shipped + 1
        where = orders.c.id == report.order_id
        db.session.execute(update(orders).where(where).values(shipped=shipped))

    else:
        where = payments.c.session_id == report.session_id
        db.session.execute(update(payments).where(where).values(status="review", updated_at=now))


application = Flask(__name__)
application.config["SQLALCHEMY_DATABASE_URI"] = database_url()
db.init_app(application)
add_callback(application, record)
