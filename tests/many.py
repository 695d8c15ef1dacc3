"""Many orders of a shop, each with a pending payment."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from tests.shop import Shop


def add_many(shop: Shop, count: int, **values: Any) -> None:
    """Insert orders A1, A2, ... with payments S1, S2, ..., all of them due."""
    now = shop.clock()

    with shop.app.app_context():
        for number in range(1, count + 1):
            order_id, session_id = f"A{number}", f"S{number}"
            shop.db.session.add(shop.orders(id=order_id, price="1000", currency="AMD"))
            fields = {
                "account": "spayon",
                "gateway": shop.gateway,
                "order_id": order_id,
                "held_order_id": order_id,
                "reference": f"reference-{number}",
                "session_id": session_id,
                "session_url": f"http://127.0.0.1:9/pay/{session_id}",
                "status": "pending",
                "product_name": "Tea",
                "price": Decimal(1000),
                "currency": "AMD",
                "created_at": now,
                "updated_at": now,
                "due_at": now,
                "expires_at": now + timedelta(minutes=15),
            }
            shop.db.session.add(shop.spayon.Payment(**(fields | values)))

        shop.db.session.commit()
