"""Mistakes that a type checker is to find, one a line: never run.

mypy says so, in `make lint`, of a mistake that it does not find: then the comment is of no use.
"""

from flask_sqlalchemy import SQLAlchemy

from spayon_flask import Order, PaymentMixin, Spayon

db = SQLAlchemy()
spayon = Spayon(db, nmae="spayon")  # type: ignore[call-arg]  # wrong: no such option
order = Order(order_id="A1", product_name="Tea", price=9.9, currency="AMD")  # type: ignore[arg-type]  # wrong: a float


@spayon.order_loader  # type: ignore[type-var]  # wrong: an order id is text
def load_order(order_id: int) -> Order | None:
    """Take a number."""


@spayon.on_paid
def fulfil(payment: PaymentMixin) -> None:
    """Keep its type."""


fulfil("A1")  # type: ignore[arg-type]  # wrong: not a payment
spayon.start_checkout("A1")  # type: ignore[arg-type]  # wrong: not an order
number: int = spayon.start_checkout(order).status  # type: ignore[assignment]  # wrong: text
spayon.Payment.state  # type: ignore[attr-defined]  # wrong: no such column
