"""Order: what can be asked money for."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from decimal import Decimal
from typing import Any

import pytest

from spayon_flask import Order
from spayon_flask import OrderError


def order(**fields: Any) -> Order:
    custom: dict[str, Any] = {
        "order_id": "A1",
        "product_name": "Tea",
        "price": Decimal(10),
        "currency": "AMD",
    }
    return Order(**(custom | fields))


def test_a_custom_product_has_a_name_a_price_and_a_currency_in_upper_case() -> None:
    made = order(currency="amd")

    assert (made.product_name, made.price, made.currency) == ("Tea", Decimal(10), "AMD")


def test_a_product_of_the_admin_panel_has_nothing_but_its_id() -> None:
    assert Order(order_id="A1", product_id=7).price is None


def test_an_order_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        order().price = Decimal(1)  # type: ignore[misc]  # what is tested


def test_an_order_takes_keywords_only() -> None:
    with pytest.raises(TypeError):
        Order("A1")  # type: ignore[call-arg]  # what is tested


@pytest.mark.parametrize("price", [10.0, 10, "10"])
def test_a_price_that_is_no_decimal_is_refused_with_the_way_to_write_it(price: object) -> None:
    with pytest.raises(OrderError, match=r"price must be a Decimal.*Decimal\('10.50'\)"):
        order(price=price)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"product_id": 7}, "not both"),
        ({"price": None}, "either product_id"),
        ({"product_name": None, "price": None, "currency": None}, "either product_id"),
        ({"price": Decimal(1234567890123456)}, "price: must have at most 15 digits"),
        ({"currency": "dram"}, "currency"),
        ({"order_id": ""}, "order_id"),
        ({"order_id": " A1"}, "order_id"),
        ({"order_id": 1}, "order_id"),
        ({"order_id": "A\x00"}, "order_id"),
        ({"order_id": "A" * 256}, "order_id"),
        ({"product_name": "Tea\ud800"}, "product_name"),
        ({"email": ""}, "email"),
        ({"full_name": "A\r\nB"}, "full_name"),
        ({"available_payment_methods": "mir"}, "available_payment_methods"),
        ({"available_payment_methods": []}, "available_payment_methods"),
        ({"available_payment_methods": [1]}, "available_payment_methods"),
        (
            {"available_payment_methods": ["mir"], "default_payment_method": "visa"},
            "default_payment_method",
        ),
    ],
)
def test_a_senseless_order_is_refused_and_the_field_is_named(
    fields: dict[str, Any], named: str
) -> None:
    with pytest.raises(OrderError, match=named):
        order(**fields)


@pytest.mark.parametrize("product_id", [True, "7", 0, -1, 2**63])
def test_a_product_id_is_a_positive_number(product_id: Any) -> None:
    with pytest.raises(OrderError, match="product_id"):
        Order(order_id="A1", product_id=product_id)


@pytest.mark.parametrize("name", ["Թեյ ուրցով", "Чай, 100 г", "Coffee\u00a0☕", "👩‍🍳 box"])
def test_a_product_name_is_written_as_people_write(name: str) -> None:
    assert order(product_name=name).product_name == name


def test_no_repr_shows_who_pays() -> None:
    order = Order(
        order_id="A1",
        product_id=1,
        email="payer@example.com",
        username="john_doe",
        full_name="John Doe",
    )

    assert repr(order).startswith("Order(order_id='A1'")
    assert "payer" not in repr(order)
    assert "john" not in repr(order).lower()
