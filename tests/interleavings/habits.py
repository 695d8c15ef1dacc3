"""Habits: what a shop's own functions do besides, so that much can go wrong.

Its orders can be closed, its loader writes, and its handlers swallow errors.
"""

from collections.abc import Callable, Collection
from contextlib import suppress
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine, TextClause, text
from sqlalchemy.exc import SQLAlchemyError

from spayon_flask import Order
from tests.shop import Shop

LOADER_WRITES, RECEIVER_WRITES = "the loader writes", "a receiver writes"
SWALLOWS = "the handler swallows an error"

#: With these a handler fails: the database gives up the transaction, or another database is written
#: to beside it.
GIVES_UP = "the handler swallows a rollback"
WRITES_ELSEWHERE = "the handler writes to a second database"

#: What fails for as long as it is so.
HANDLER_RAISES, QUEUE_IS_DOWN = "the handler raises", "the queue is down"
KILLED = "the process is killed as it asks the gateway"

HABITS = (LOADER_WRITES, RECEIVER_WRITES, SWALLOWS)
FATAL = (GIVES_UP, WRITES_ELSEWHERE)

TABLES = (
    "CREATE TABLE closed (order_id VARCHAR(40))",
    "CREATE TABLE views (order_id VARCHAR(40))",
)


def use_loader(shop: Shop, writes: Callable[[str], bool]) -> None:
    """Let *shop* load its orders as it does, but for those that are closed.

    If *writes* of an order is true, the loader notes that the order was seen.
    """

    @shop.spayon.order_loader
    def load(order_id: str) -> Order | None:
        session, key = shop.db.session, {"id": order_id}
        row = session.get(shop.orders, order_id)
        closed = session.execute(text("SELECT 1 FROM closed WHERE order_id = :id"), key).first()

        if writes(order_id):
            session.execute(text("INSERT INTO views VALUES (:id)"), key)

        return row and Order(
            order_id=row.id,
            product_name="Tea",
            price=Decimal(row.price),
            currency=row.currency,
            closed="cancelled" if closed else None,
        )


def close(shop: Shop, order_id: str) -> None:
    """Let *shop* close an order: it cannot be paid any more."""
    with shop.app.app_context():
        shop.db.session.execute(text("INSERT INTO closed VALUES (:id)"), {"id": order_id})
        shop.db.session.commit()


def misbehave(
    session: Any, habits: Collection[str], wrong: TextClause, trap: TextClause, other: Engine
) -> None:
    """Do as a handler with *habits* does; *wrong* fails, and with *trap* all is given up."""
    if SWALLOWS in habits:
        with suppress(SQLAlchemyError), session.begin_nested():
            session.execute(wrong)

    if GIVES_UP in habits:
        with suppress(SQLAlchemyError):
            session.execute(trap)

    if WRITES_ELSEWHERE in habits:
        session.connection(bind_arguments={"bind": other}).execute(
            text("INSERT INTO shipped VALUES (1)")
        )
