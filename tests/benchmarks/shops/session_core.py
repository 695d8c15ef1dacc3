"""The same floor through Flask-SQLAlchemy's session, its statements written in Core."""

from datetime import datetime, timezone

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import CursorResult, update
from sqlalchemy.dialects import postgresql, sqlite

from tests.benchmarks.shops import database_url
from tests.benchmarks.shops.receiver import FOLLOWS, Report, add_callback
from tests.benchmarks.shops.tables import callbacks, create, fill, orders, payments

__all__ = ["application", "create", "fill"]

db = SQLAlchemy()


def insert_once() -> postgresql.Insert | sqlite.Insert:
    """Start an insert into callbacks that leaves a row alone which is there already."""
    if db.engine.dialect.name == "sqlite":
        return sqlite.insert(callbacks).on_conflict_do_nothing()

    return postgresql.insert(callbacks).on_conflict_do_nothing()


def record(report: Report) -> None:
    """Write the callback down and act on it, all of it or nothing."""
    try:
        act(report)
        db.session.commit()
    except BaseException:
        db.session.rollback()
        raise


def act(report: Report) -> None:
    """Run the three statements; a duplicate ends after the first."""
    now = datetime.now(timezone.utc)
    recorded = db.session.scalar(
        insert_once()
        .values(
            session_id=report.session_id, status=report.status, body=report.body, received_at=now
        )
        .returning(callbacks.c.id)
    )
    if recorded is None or not FOLLOWS[report.status]:
        return

    applied = db.session.execute(
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
    assert isinstance(applied, CursorResult)
    if report.status != "paid":
        return

    if applied.rowcount == 1:
        db.session.execute(
            update(orders)
            .where(orders.c.id == report.order_id)
            .values(shipped=orders.c.shipped + 1)
        )
    else:
        db.session.execute(
            update(payments)
            .where(payments.c.session_id == report.session_id)
            .values(status="review", updated_at=now)
        )


application = Flask(__name__)
application.config["SQLALCHEMY_DATABASE_URI"] = database_url()
db.init_app(application)
add_callback(application, record)
