"""What the floors share: tables with the keys that exactness needs, and how they are filled."""

import secrets
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from tests.benchmarks.deliveries import CURRENCY, PRICE, order_id, session_id
from tests.benchmarks.shops import database_url

metadata = sa.MetaData()

orders = sa.Table(
    "shop_order",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("title", sa.String(200), nullable=False),
    sa.Column("total", sa.Numeric(19, 4), nullable=False),
    sa.Column("shipped", sa.Integer, nullable=False, default=0),
)

payments = sa.Table(
    "payment",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("order_id", sa.String(64), nullable=False, index=True),
    sa.Column("reference", sa.String(64), nullable=False, unique=True),
    sa.Column("session_id", sa.String(64), unique=True),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("price", sa.Numeric(19, 4), nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
)

callbacks = sa.Table(
    "callback",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("session_id", sa.String(64), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
    sa.UniqueConstraint("session_id", "status"),
)


def create() -> None:
    """Make the tables."""
    metadata.create_all(sa.create_engine(database_url(), poolclass=NullPool))


def fill(first: int, count: int) -> None:
    """Place *count* orders from number *first* on, each with a pending payment."""
    engine = sa.create_engine(database_url(), poolclass=NullPool)
    numbers = range(first, first + count)
    with engine.begin() as connection:
        connection.execute(orders.insert(), order_rows(numbers))
        connection.execute(payments.insert(), [payment_row(number) for number in numbers])


def order_rows(numbers: range) -> list[dict[str, Any]]:
    """Write down an order per number, nothing of it shipped yet."""
    return [
        {"id": order_id(number), "title": "Iphone 16S", "total": Decimal(PRICE), "shipped": 0}
        for number in numbers
    ]


def payment_row(number: int) -> dict[str, Any]:
    """Write down a payment as it stands while the payer is on the gateway's page."""
    now = datetime.now(timezone.utc)
    return {
        "order_id": order_id(number),
        "reference": secrets.token_urlsafe(16),
        "session_id": session_id(number),
        "status": "pending",
        "price": Decimal(PRICE),
        "currency": CURRENCY,
        "created_at": now,
        "updated_at": now,
    }
