"""A shop that ships through Celery, on Redis.

export FLASK_SQLALCHEMY_DATABASE_URI=sqlite:////tmp/celery-shop.db
export FLASK_SPAYON_CLIENT_ID=... FLASK_SPAYON_CLIENT_SECRET=... FLASK_SPAYON_CALLBACK_SECRET=...
celery -A celery_shop worker
flask --app celery_shop run
"""

import os
import secrets
from decimal import Decimal

from celery import Celery
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from spayon_flask import Order, Spayon


class Base(DeclarativeBase):
    pass


db = SQLAlchemy(model_class=Base)
spayon = Spayon(db)
celery = Celery(
    "celery_shop", broker=os.environ.get("CELERY_BROKER_URL", "redis://127.0.0.1:6379/0")
)
celery.conf.update(
    task_default_queue=os.environ.get("CELERY_QUEUE", "shop"),
    # A task is done when it is done, not when it is begun: a killed worker loses nothing.
    task_acks_late=True,
    # With Redis away, or silent, the callback must not wait: it is answered, and reconcile hands
    # over later.
    task_publish_retry=False,
    broker_transport_options={
        "socket_connect_timeout": 1,
        "socket_timeout": 2,
        "max_retries": 1,
    },
    broker_connection_retry_on_startup=True,
)


class ShopOrder(db.Model):
    id: Mapped[str] = mapped_column(primary_key=True)
    # The payment pages go by this code, which nobody can guess.
    code: Mapped[str] = mapped_column(unique=True, default=lambda: secrets.token_urlsafe(12))
    paid: Mapped[bool] = mapped_column(default=False)


class Parcel(db.Model):
    # By this key an order is shipped once, however often the task runs.
    order_id: Mapped[str] = mapped_column(primary_key=True)
    callback_id: Mapped[int]


@spayon.order_loader
def load_order(key: str) -> Order | None:
    row = db.session.scalar(db.select(ShopOrder).filter_by(code=key))
    return row and Order(
        order_id=row.id, key=row.code, product_name="Apricots", price=Decimal(1000), currency="AMD"
    )


@spayon.on_paid
def note(payment) -> None:
    """Short, and in the transaction that records the payment."""
    db.session.get(ShopOrder, payment.order_id).paid = True


@spayon.dispatcher
def hand_over(callback_id: int) -> None:
    """After the commit; at least once, so `ship` must bear a second time."""
    ship.delay(callback_id)


@celery.task(autoretry_for=(Exception,), retry_backoff=True, max_retries=None)
def ship(callback_id: int) -> str:
    """Do the slow work of a paid order."""
    with app.app_context():
        callback = db.session.get(spayon.Callback, callback_id)
        payment = db.session.scalars(
            db.select(spayon.Payment).filter_by(
                account=callback.account, session_id=callback.session_id
            )
        ).one()

        # The row tells what changed; the payment tells what holds now.
        if payment.status != "paid":
            return f"nothing to ship, the payment is {payment.status}"

        db.session.add(Parcel(order_id=payment.order_id, callback_id=callback_id))

        try:
            db.session.commit()

        except IntegrityError:
            db.session.rollback()
            return "shipped already"

        return "shipped"


def create_app() -> Flask:
    app = Flask(__name__)
    app.config.from_prefixed_env()
    db.init_app(app)
    spayon.init_app(app)
    app.register_blueprint(spayon.blueprint, url_prefix="/pay")
    app.cli.command("create-tables")(db.create_all)
    return app


app = create_app()
