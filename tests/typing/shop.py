"""What a typical shop writes: read by type checkers, and run once as it stands."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from flask import Flask, abort, redirect
from flask.typing import ResponseReturnValue
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from spayon_flask import (
    CallbackMixin,
    GatewayError,
    Order,
    OrderLine,
    OrderNotPayableError,
    PaymentMixin,
    Spayon,
)
from spayon_flask.signals import payment_paid


class Base(DeclarativeBase):
    """The shop's own base."""


db = SQLAlchemy(model_class=Base)
spayon = Spayon(db)


class ShopPayment(PaymentMixin, Base):
    """The shop's own class of payments, with a column more."""

    __tablename__ = "shop_payment"
    note: Mapped[str | None]


class ShopCallback(CallbackMixin, Base):
    """The shop's own class of callbacks."""

    __tablename__ = "shop_callback"


second = Spayon(
    db,
    name="second",
    config_prefix="SECOND_",
    payment_class=ShopPayment,
    callback_class=ShopCallback,
)


class ShopOrder(Base):
    """An order of the shop."""

    __tablename__ = "shop_order"
    id: Mapped[str] = mapped_column(primary_key=True)
    total: Mapped[Decimal]
    paid: Mapped[bool] = mapped_column(default=False)


@spayon.order_loader
@second.order_loader
def load_order(order_id: str) -> Order | None:
    """Return the order with this id."""
    row = db.session.get(ShopOrder, order_id)

    if row is None:
        return None

    if row.paid:
        abort(410)

    return Order(
        order_id=row.id,
        product_name="Tea",
        price=row.total,
        currency="AMD",
        key=row.id,
        url=f"/orders/{row.id}",
        thanks_url="/thanks",
        lines=[("Tea", 1, row.total), OrderLine("Gift wrap", 1, Decimal(0))],
    )


@spayon.on_details
def keep(payment: PaymentMixin, details: Mapping[str, str]) -> None:
    """Keep what the payer typed."""
    print(payment.id, details.get("email"))


@spayon.language
def speak() -> str | None:
    """Say what the payer speaks."""
    return "hy"


def is_paid(order_id: str) -> bool:
    """Ask how an order stands."""
    payment = spayon.payment_of(order_id)
    return payment is not None and payment.status == "paid"


@spayon.on_paid
def fulfil(payment: PaymentMixin) -> None:
    """Give out the goods."""
    row = db.session.get(ShopOrder, payment.order_id)

    if row is not None:
        row.paid = True


@second.on_paid
def note(payment: ShopPayment) -> None:
    """Use a column of the shop's own."""
    payment.note = f"{payment.price} {payment.currency}"


@spayon.on_review
def ring(payment: PaymentMixin) -> None:
    """Call a person."""
    print(f"payment {payment.id} needs you: {payment.review}")


@spayon.dispatcher
def enqueue(callback_id: int) -> None:
    """Put slow work on the shop's queue."""
    print(f"callback {callback_id}")


@payment_paid.connect
def count(account: str, payment: PaymentMixin) -> None:
    """Observe."""
    print(account, payment.price)


def pay(order_id: str) -> ResponseReturnValue:
    """Send the payer to Spayon from a view of the shop's own."""
    order = load_order(order_id)

    if order is None:
        abort(404)

    try:
        payment = spayon.start_checkout(order)

    except OrderNotPayableError:
        return "paid already", 409

    except GatewayError:
        return "please try again", 503

    assert payment.session_url is not None
    return redirect(payment.session_url, 303)


def unpaid_since(moment: datetime) -> list[str]:
    """Query payments, as any other table."""
    payment = spayon.Payment
    query = (
        db.select(payment)
        .where(payment.status == "pending", payment.created_at > moment)
        .order_by(payment.created_at.desc())
    )
    return [found.order_id for found in db.session.scalars(query)]


def total() -> Decimal:
    """Add up what has been paid."""
    query = db.select(spayon.Payment).filter_by(status="paid")
    prices = [found.price for found in db.session.scalars(query)]
    return sum((price for price in prices if price is not None), Decimal(0))


def look_again(payment_id: int) -> str:
    """Ask Spayon about one payment."""
    payment = db.session.get(spayon.Payment, payment_id)

    if payment is None:
        abort(404)

    return spayon.refresh(payment).status


def nightly() -> int:
    """Ask Spayon about all that is due."""
    summary = spayon.reconcile(limit=1000, jobs=8)
    return summary.exit_code + summary.changed["paid"]


def vendor() -> str:
    """Read a setting."""
    return f"{spayon.settings.client_id} at {spayon.settings.api_url}"


def create_app() -> Flask:
    """Make the app."""
    app = Flask(__name__)
    app.config.from_prefixed_env()
    db.init_app(app)
    spayon.init_app(app)
    app.register_blueprint(spayon.blueprint, url_prefix="/pay")
    return app
