"""Mistakes that a type checker is to find, one a line: read by type checkers, never run."""

from flask_sqlalchemy import SQLAlchemy

from spayon_flask import Order, PaymentMixin, Spayon

db = SQLAlchemy()
spayon = Spayon(db, nmae="spayon")  # wrong: no such option
order = Order(order_id="A1", product_name="Tea", price=9.9, currency="AMD")  # wrong: a float


@spayon.order_loader  # wrong: an order id is text
def load_order(order_id: int) -> Order | None:
    """Take a number."""


@spayon.on_paid
def fulfil(payment: PaymentMixin) -> None:
    """Keep its type."""


fulfil("A1")  # wrong: not a payment
spayon.start_checkout("A1")  # wrong: not an order
number: int = spayon.start_checkout(order).status  # wrong: text
spayon.Payment.state  # wrong: no such column
