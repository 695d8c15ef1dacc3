"""A shop on spayon-flask whose handler works with a model."""

from typing import Any

from tests.benchmarks.shops import spayon_shop
from tests.benchmarks.shops.spayon_shop import ShopOrder
from tests.benchmarks.shops.spayon_shop import create
from tests.benchmarks.shops.spayon_shop import db
from tests.benchmarks.shops.spayon_shop import fill
from tests.benchmarks.shops.spayon_shop import spayon


__all__ = ["application", "create", "fill"]


@spayon.on_paid
def fulfil(payment: Any) -> None:
    """Ship the order."""
    order = db.session.get(ShopOrder, payment.order_id)
    assert order is not None
    order.shipped += 1


application = spayon_shop.create_app()
