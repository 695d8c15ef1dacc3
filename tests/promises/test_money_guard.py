"""Promise 4: no goods for a `paid` that is not what was asked for."""

from decimal import Decimal
from itertools import product
from typing import Any

import pytest

from spayon_flask.simulator import Simulator
from tests.promises.helpers import order, payments, post_checkout, refresh, start
from tests.reports import report
from tests.shop import Shop

#: What is changed in a `paid` for order A1 at 1000 AMD (None: left out), and why it is doubted.
DOUBTS: list[tuple[dict[str, Any], str]] = [
    ({"price": None}, "price_missing"),
    ({"price": ""}, "price_unreadable"),
    ({"price": "free"}, "price_unreadable"),
    ({"price": "1000,00"}, "price_unreadable"),
    ({"price": "1e3"}, "price_unreadable"),
    ({"price": "+1000"}, "price_unreadable"),
    ({"price": "-1000"}, "price_unreadable"),
    ({"price": "١٠٠٠"}, "price_unreadable"),
    ({"price": True}, "price_unreadable"),
    ({"price": ["1000"]}, "price_unreadable"),
    ({"price": {"value": 1000}}, "price_unreadable"),
    ({"price": "0"}, "price_unreadable"),
    ({"price": "1"}, "price_differs"),
    ({"price": "1000.0001"}, "price_differs"),
    ({"price": 999}, "price_differs"),
    ({"price": "1000000"}, "price_differs"),
    ({"currency": None}, "currency_missing"),
    ({"currency": "dram"}, "currency_unreadable"),
    ({"currency": 51}, "currency_unreadable"),
    ({"currency": "RUB"}, "currency_differs"),
    ({"orderId": None}, "order_missing"),
    ({"orderId": ["A1"]}, "order_missing"),
    ({"orderId": "A2"}, "order_differs"),
    ({"orderId": "a0"}, "order_differs"),
    ({"orderId": "A1 "}, "order_differs"),
]

#: Prices at the edge of what is let in: 15 digits, 4 decimals.
EXACT = [
    "999999999999999",
    "100000000000001",
    "12345678901.2345",
    "99999999999.9999",
    "0.0001",
    "0.1",
    "4503599627370.01",
    "1000.10",
]


@pytest.mark.always
def test_a_doubtful_paid_goes_to_review(any_shop: Shop) -> None:
    for number, (changes, reason) in enumerate(DOUBTS):
        order_id, session_id = f"A{number}", f"S{number}"
        any_shop.add_order(order_id)
        any_shop.add_payment(session_id, order_id)
        fields = {"orderId": order_id} | changes

        assert any_shop.deliver(report(session_id, **fields)) == 200

        payment = any_shop.payment(session_id)
        assert (payment.status, payment.review) == ("review", reason), changes
        assert any_shop.handled[-1] == (order_id, "review")
        assert any_shop.paid_times(order_id) == 0

    assert {row.verdict for row in any_shop.callbacks()} == {"review"}


def test_spellings_of_one_amount_are_equal(any_shop: Shop) -> None:
    spellings = product(("10", 10, "10.00", 10.0, "10.0000", "010"), ("AMD", "amd"))

    for number, (price, currency) in enumerate(spellings):
        order_id, session_id = f"A{number}", f"S{number}"
        any_shop.add_order(order_id)
        any_shop.add_payment(session_id, order_id, price=Decimal(10))

        any_shop.deliver(report(session_id, price=price, currency=currency, orderId=order_id))

        assert any_shop.payment(session_id).status == "paid", price
        assert any_shop.paid_times(order_id) == 1


def test_a_status_check_is_guarded_as_a_callback_is(
    any_shop: Shop, gateway: Simulator, payment: Any
) -> None:
    gateway.hold_callbacks()
    gateway.sessions[payment.session_id].creation.__dict__["price"] = Decimal(1)
    gateway.pay(payment.session_id, wait=False)

    assert refresh(any_shop, payment.session_id) == "review"
    assert any_shop.payment(payment.session_id).review == "price_differs"


def test_prices_are_exact_on_the_wire_and_in_the_database(
    any_shop: Shop, gateway: Simulator
) -> None:
    for price in EXACT:
        any_shop.add_order(price)
        payment = start(any_shop, order(price, price=price))

        assert gateway.sessions[payment.session_id].creation.price == Decimal(price)
        assert any_shop.payment(payment.session_id).price == Decimal(price)

        gateway.pay(payment.session_id)
        assert any_shop.payment(payment.session_id).status == "paid"


@pytest.mark.always
def test_the_last_of_fifteen_digits_counts(any_shop: Shop) -> None:
    for price in EXACT:
        any_shop.add_order(price)
        any_shop.add_payment(price, price, price=Decimal(price))
        # For mypy: the exponent of what is finite is a number.
        unit = Decimal(1).scaleb(Decimal(price).as_tuple().exponent)  # type: ignore[arg-type]

        any_shop.deliver(report(price, orderId=price, price=str(Decimal(price) + unit)))

        assert any_shop.payment(price).status == "review"


@pytest.mark.parametrize(("order_id", "status"), [("A1", "paid"), ("A2", "review")])
def test_a_product_of_the_admin_panel_takes_its_price_from_spayon(
    any_shop: Shop, gateway: Simulator, order_id: str, status: str
) -> None:
    any_shop.add_order()
    wanted = order(product_id=2, product_name=None, currency=None, price=None)
    payment = start(any_shop, wanted)
    assert any_shop.payment(payment.session_id).price is None

    gateway.deliver(payment.session_id, status="paid", orderId=order_id)

    paid = any_shop.payment(payment.session_id)
    assert (paid.status, paid.price, paid.currency) == (status, Decimal("1500.50"), "AMD")


def test_an_order_under_review_cannot_be_paid_again(
    any_shop: Shop, gateway: Simulator, payment: Any
) -> None:
    gateway.deliver(payment.session_id, status="paid", price="1")

    answer = post_checkout(any_shop)

    assert (answer.status_code, answer.location) == (303, "/pay/checkout/A1")
    assert len(payments(any_shop)) == 1
