"""What both shops on spayon-flask share: models, the app, and how its tables are filled."""

from datetime import datetime, timedelta, timezone
from typing import Any

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import insert

from spayon_flask import Order, Spayon
from tests.benchmarks.deliveries import CALLBACK_SECRET, CURRENCY, order_id, session_id
from tests.benchmarks.shops import database_url, tables

db = SQLAlchemy()
spayon = Spayon(db)


class ShopOrder(db.Model):  # type: ignore[name-defined, misc]  # made at run time
    """The shop's order."""

    __table__ = tables.orders.to_metadata(db.metadata)


@spayon.order_loader
def load_order(order: str) -> Order | None:
    """Look an order up, its price from the server."""
    row = db.session.get(ShopOrder, order)
    return row and Order(
        order_id=row.id, product_name=row.title, price=row.total, currency=CURRENCY
    )


def create_app(**settings: Any) -> Flask:
    """Make the shop, on the database that the environment names."""
    app = Flask(__name__)
    app.config.update(
        SQLALCHEMY_DATABASE_URI=database_url(),
        SPAYON_CLIENT_ID="simulator-client",
        SPAYON_CLIENT_SECRET="simulator-secret",
        SPAYON_CALLBACK_SECRET=CALLBACK_SECRET,
        SPAYON_API_URL="http://127.0.0.1:9",
    )
    app.config.update(settings)
    db.init_app(app)
    spayon.init_app(app)
    app.register_blueprint(spayon.blueprint, url_prefix="/pay")
    return app


def create() -> None:
    """Make the tables."""
    with create_app().app_context():
        db.create_all()


def fill(first: int, count: int) -> None:
    """Place *count* orders from number *first* on, each with a pending payment."""
    numbers = range(first, first + count)
    with create_app().app_context():
        db.session.execute(insert(tables.orders), tables.order_rows(numbers))
        db.session.execute(insert(spayon.Payment), [payment_row(number) for number in numbers])
        db.session.commit()


def payment_row(number: int, **changes: Any) -> dict[str, Any]:
    """Write down a payment as it stands while the payer is on Spayon's page."""
    return {
        **tables.payment_row(number),
        "account": "spayon",
        "gateway": spayon.settings.gateway,
        "held_order_id": order_id(number),
        "session_url": f"https://pay.example/{session_id(number)}",
        "product_name": "Iphone 16S",
        "expires_at": datetime.now(timezone.utc) + timedelta(minutes=15),
        **changes,
    }
