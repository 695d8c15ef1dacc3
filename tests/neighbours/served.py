"""A shop as gunicorn runs it: `tests.neighbours.served:create_app()`."""

import os
from decimal import Decimal
from typing import Any

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from werkzeug.middleware.proxy_fix import ProxyFix

from spayon_flask import Order, Spayon


class Base(DeclarativeBase):
    """The shop's base."""


class Parcel(Base):
    """What is sent to a customer who has paid."""

    __tablename__ = "parcel"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[str]


db = SQLAlchemy(model_class=Base)
spayon = Spayon(db)


@spayon.order_loader
def load(order_id: str) -> Order | None:
    """Return an order for tea."""
    return Order(order_id=order_id, product_name="Tea", price=Decimal(1000), currency="AMD")


@spayon.on_paid
def fulfil(payment: Any) -> None:
    """Send a parcel."""
    db.session.add(Parcel(order_id=payment.order_id))


def create_app() -> Flask:
    """Return the app, set up from the environment, behind one proxy."""
    app = Flask(__name__)
    app.config.from_prefixed_env()
    db.init_app(app)
    spayon.init_app(app)
    app.register_blueprint(spayon.blueprint, url_prefix="/pay")

    # What a shop behind one nginx writes; Flask's way, which mypy does not like.
    app.wsgi_app = ProxyFix(app.wsgi_app, x_host=1, x_prefix=1)  # type: ignore[method-assign]

    with app.app_context():
        event.listen(db.engine, "connect", patient)

        if os.environ.get("CREATE_TABLES"):
            db.create_all()

    return app


def patient(connection: Any, _: object) -> None:
    """Let writers of the one SQLite file wait for each other."""
    connection.execute("PRAGMA busy_timeout = 10000")
