"""A shop on spayon-flask whose handler is a statement in SQL, made once."""

from typing import Any

from sqlalchemy import text

from tests.benchmarks.shops import spayon_shop
from tests.benchmarks.shops.spayon_shop import create, db, fill, spayon

__all__ = ["application", "create", "fill"]

SHIP = text("UPDATE shop_order SET shipped = shipped + 1 WHERE id = :the_id")


@spayon.on_paid
def fulfil(payment: Any) -> None:
    """Ship the order."""
    db.session.execute(SHIP, {"the_id": payment.order_id})


application = spayon_shop.create_app()
