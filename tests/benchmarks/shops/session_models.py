"""The same floor once more, written with Flask-SQLAlchemy's models."""

from datetime import datetime
from datetime import timezone

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from tests.benchmarks.shops import database_url
from tests.benchmarks.shops import tables
from tests.benchmarks.shops.receiver import FOLLOWS
from tests.benchmarks.shops.receiver import Report
from tests.benchmarks.shops.receiver import add_callback
from tests.benchmarks.shops.tables import create
from tests.benchmarks.shops.tables import fill


__all__ = ["application", "create", "fill"]

db = SQLAlchemy(metadata=tables.metadata)


class ShopOrder(db.Model):  # type: ignore[name-defined, misc]  # made at run time
    """The shop's order."""

    __table__ = tables.orders


class Payment(db.Model):  # type: ignore[name-defined, misc]  # made at run time
    """One attempt to pay it."""

    __table__ = tables.payments


class Callback(db.Model):  # type: ignore[name-defined, misc]  # made at run time
    """One thing that Spayon said."""

    __table__ = tables.callbacks


def record(report: Report) -> None:
    """Write the callback down and act on it, all of it or nothing."""
    try:
        act(report)
        db.session.commit()
    except BaseException:
        db.session.rollback()
        raise


def act(report: Report) -> None:
    """Insert, look the payment up under a lock, and change what follows from it."""
    now = datetime.now(timezone.utc)
    db.session.add(
        Callback(
            session_id=report.session_id, status=report.status, body=report.body, received_at=now
        )
    )
    try:
        db.session.flush()
    except IntegrityError:
        db.session.rollback()
        return

    payment = db.session.scalar(
        select(Payment).filter_by(session_id=report.session_id).with_for_update()
    )
    if payment is None or payment.status not in FOLLOWS[report.status]:
        return

    payment.updated_at = now
    if report.status != "paid":
        payment.status = report.status
    elif (payment.order_id, payment.price, payment.currency) != (
        report.order_id,
        report.price,
        report.currency,
    ):
        payment.status = "review"
    else:
        payment.status = "paid"
        order = db.session.get(ShopOrder, payment.order_id)
        assert order is not None
        order.shipped += 1


application = Flask(__name__)
application.config["SQLALCHEMY_DATABASE_URI"] = database_url()
db.init_app(application)
add_callback(application, record)
