"""A shop on spayon-flask whose handler is written in Core."""

from typing import Any

from sqlalchemy import update

from tests.benchmarks.shops import spayon_shop
from tests.benchmarks.shops.spayon_shop import create, db, fill, spayon
from tests.benchmarks.shops.tables import orders

__all__ = ["application", "create", "fill"]


@spayon.on_paid
def fulfil(payment: Any) -> None:
    """Ship the order."""
    db.session.execute(
        update(orders).where(orders.c.id == payment.order_id).values(shipped=orders.c.shipped + 1)
    )


application = spayon_shop.create_app()
