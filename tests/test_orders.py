"""Order: what can be asked money for."""

from dataclasses import FrozenInstanceError, replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from flask_babel.speaklater import LazyString  # type: ignore[import-untyped]  # it has none

from spayon_flask import Order, OrderError, OrderLine
from spayon_flask.domain.orders import attempt_id, is_id, names_order, without_mark


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


@pytest.mark.parametrize("price", [10.0, 10, "10", 0.0, Decimal(float("196.95"))])
def test_a_price_that_was_a_float_is_refused_with_the_way_to_write_it(price: Any) -> None:
    for fields in ({"price": price}, {"lines": [("Tea", 1, price)]}):
        with pytest.raises(OrderError) as caught:
            order(**fields)

        assert "write round(Decimal(str(x)), 2)" in str(caught.value)

    assert order(price=round(Decimal(str(196.95)), 2)).price == Decimal("196.95")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"product_name": None, "price": None, "currency": None}, "either product_id"),
        ({"price": Decimal(1234567890123456)}, "price: must have at most 15 digits"),
        ({"currency": "dram"}, "currency"),
        ({"order_id": ""}, "order_id"),
        ({"order_id": " A1"}, "order_id"),
        ({"order_id": "A\x00"}, "order_id"),
        ({"order_id": "A" * 256}, "order_id"),
        ({"product_name": "Tea\ud800"}, "product_name"),
        ({"email": ""}, "email"),
        ({"full_name": "A\r\nB"}, "full_name"),
        ({"available_payment_methods": []}, "available_payment_methods"),
        ({"key": ""}, "key"),
        ({"key": "A1 "}, "key"),
        ({"url": "javascript:alert(1)"}, "url"),
        ({"url": "//evil.example/"}, "url"),
        ({"url": "/\\evil.example/"}, "url"),
        ({"url": "https://"}, "url"),
        ({"url": "/a\nb"}, "url"),
        ({"url": "/" * 2001}, "url"),
        ({"url": 7}, "url"),
        ({"thanks_url": "data:text/html,"}, "thanks_url"),
        ({"lines": [("Tea", 1)]}, "lines must hold"),
        ({"lines": [("", 1, Decimal(1))]}, "lines: name"),
        ({"lines": [("Tea", True, Decimal(1))]}, "lines: quantity"),
        ({"lines": [("Tea", 1, Decimal("NaN"))]}, "lines: price"),
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


def test_an_order_is_known_by_its_number_unless_it_has_a_key() -> None:
    assert order().key == "A1"
    assert order(key="k7Qz").key == "k7Qz"


def test_an_order_that_is_closed_says_why() -> None:
    assert order().closed is None
    assert order(closed=LazyString(lambda: "Paid in cash")).closed == "Paid in cash"


@pytest.mark.parametrize("url", ["https://shop.example/orders/1", "/orders/1", "/"])
def test_an_order_has_a_page_in_the_shop_and_one_to_say_thanks(url: str) -> None:
    made = order(url=url, thanks_url=url)

    assert (made.url, made.thanks_url) == (url, url)


def test_lines_may_be_written_as_tuples() -> None:
    made = order(lines=[("Tea", 2, Decimal("4.50")), OrderLine("Discount", 1, Decimal(-1))])

    assert made.lines == (
        OrderLine(name="Tea", quantity=2, price=Decimal("4.50")),
        OrderLine(name="Discount", quantity=1, price=Decimal(-1)),
    )


def test_a_line_costs_its_price_for_each_piece() -> None:
    assert OrderLine("Saffron", Decimal("0.5"), Decimal(900)).total == Decimal(450)
    assert OrderLine("Leaflet", 3, Decimal(0)).total == 0


def test_a_lazy_string_is_text() -> None:
    made = order(
        product_name=LazyString(lambda: "Tea"),
        lines=[(LazyString(lambda: "Tea with thyme"), 1, Decimal(10))],
    )

    assert type(made.product_name) is str
    assert made.lines == (OrderLine("Tea with thyme", 1, Decimal(10)),)


def test_the_repr_shows_nothing_personal_and_no_way_to_the_order() -> None:
    secret = {
        "email": "ani@shop.example",
        "username": "ani",
        "full_name": "Ani Sarkissian",
        "key": "k7Qz",
        "url": "/orders/k7Qz",
        "thanks_url": "/thanks/k7Qz",
        "lines": [("Medicine", 1, Decimal(10))],
        "closed": "Ani has paid in cash",
    }
    shown = repr(order(**secret))

    assert "order_id='A1'" in shown
    assert not [text for text in ("ani", "Ani", "k7Qz", "Medicine") if text in shown]


def test_a_copy_of_an_order_is_checked_as_the_order_was() -> None:
    made = replace(order(key="k7Qz", lines=[("Tea", 1, Decimal(10))]), email="ani@shop.example")

    assert (made.key, made.email) == ("k7Qz", "ani@shop.example")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"order_id": 7}, "order_id must be text, not int"),
        ({"key": 7}, "key must be text, not int"),
        ({"product_name": 7}, "product_name must be text, not int"),
        ({"price": 7.5}, "price must be a Decimal, not float: write round(Decimal(str(x)), 2)"),
        ({"price": None}, "give either product_id, or all of product_name, price and currency"),
        (
            {"product_id": 7},
            (
                "give either product_id, or product_name, price and currency, not both: "
                "the price of a product_id comes from Spayon's admin panel"
            ),
        ),
        ({"product_id": "7"}, "product_id must be an int, not str"),
        (
            {"available_payment_methods": "mir"},
            "available_payment_methods must be a list of names, or None",
        ),
        ({"available_payment_methods": [7]}, "available_payment_methods must be text, not int"),
        (
            {"available_payment_methods": ["mir"], "default_payment_method": "visa"},
            "default_payment_method must be one of available_payment_methods",
        ),
        (
            {"lines": ["Tea"]},
            "lines must hold OrderLine objects, or tuples of name, quantity, price",
        ),
        ({"lines": [(7, 1, Decimal(1))]}, "lines: name must be text, not int"),
        (
            {"lines": [("Tea", 1.5, Decimal(1))]},
            "lines: quantity must be an int or a Decimal, not float",
        ),
        ({"lines": [("Tea", 0, Decimal(1))]}, "lines: quantity: must be a positive amount"),
        (
            {"lines": [("Tea", 1, 1.5)]},
            "lines: price must be a Decimal, not float: write round(Decimal(str(x)), 2)",
        ),
        (
            {"lines": [("Tea", 1, Decimal("0.00001"))]},
            (
                "lines: price: must have at most 4 decimals: "
                "if it was a float, write round(Decimal(str(x)), 2)"
            ),
        ),
        ({"closed": 7}, "closed must be text, not int"),
        ({"closed": ""}, "closed must have 1 to 255 characters"),
    ],
)
def test_an_error_says_word_for_word_what_to_do(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(OrderError) as caught:
        order(**fields)

    assert str(caught.value) == said


@pytest.mark.parametrize("product_id", [1, 2**63 - 1])
def test_a_product_id_may_have_64_bits(product_id: int) -> None:
    assert Order(order_id="A1", product_id=product_id).product_id == product_id


def test_texts_and_links_may_be_as_long_as_the_limits_say() -> None:
    made = order(order_id="A" * 255, url="/" + "a" * 1999)

    assert (len(made.order_id), len(made.url or "")) == (255, 2000)


def test_payment_methods_cannot_be_changed_afterwards() -> None:
    methods = ["mir", "visamaster"]
    made = order(available_payment_methods=methods)
    methods.append("cash")

    assert made.available_payment_methods == ("mir", "visamaster")


@pytest.mark.parametrize(
    "changed",
    [
        {"price": Decimal(11)},
        {"currency": "USD"},
        {"product_id": 7},
    ],
)
def test_a_payment_asks_for_an_order_as_long_as_product_and_price_are_the_same(
    changed: dict[str, Any],
) -> None:
    asked = {"product_id": None, "product_name": "Tea", "price": Decimal(10), "currency": "AMD"}

    assert order().is_asked_by(SimpleNamespace(**asked))
    assert order(product_name="Թեյ").is_asked_by(SimpleNamespace(**asked))
    assert not order().is_asked_by(SimpleNamespace(**(asked | changed)))


def test_a_product_of_the_admin_panel_is_the_same_whatever_it_has_cost() -> None:
    paid = SimpleNamespace(product_id=7, price=Decimal(10), currency="AMD")

    assert Order(order_id="A1", product_id=7).is_asked_by(paid)
    assert not Order(order_id="A1", product_id=8).is_asked_by(paid)


@pytest.mark.parametrize(
    ("value", "can_be"), [("A1", True), ("A" * 255, True), ("", False), ("A1 ", False)]
)
def test_an_id_is_what_an_order_would_take(value: str, can_be: bool) -> None:
    assert is_id(value) is can_be


def test_an_attempt_has_an_id_that_begins_with_the_order_s() -> None:
    assert attempt_id("A1", "reference") == "A1_R52367A6"
    assert attempt_id("A1", "another") != attempt_id("A1", "reference")


@pytest.mark.parametrize(("letters", "has_room"), [(246, True), (247, False)])
def test_an_order_id_without_room_for_a_mark_stays_as_it_is(letters: int, has_room: bool) -> None:
    order_id = "x" * letters

    assert (attempt_id(order_id, "reference") != order_id) == has_room
    assert len(attempt_id(order_id, "reference")) <= 255


@pytest.mark.parametrize(
    ("told", "order_id"),
    [
        ("A1_R52367A6", "A1"),
        ("A_1_R52367A6_R52367A6", "A_1_R52367A6"),
        ("A1", "A1"),
        ("A1_R52367A", "A1_R52367A"),
        ("A1_20261126", "A1_20261126"),
        ("A1_R52367a6", "A1_R52367a6"),
        ("A1R52367A6", "A1R52367A6"),
        ("_R52367A6", "_R52367A6"),
        ("A1_R52367A6 ", "A1_R52367A6 "),
        ("A1_R52367A6\n", "A1_R52367A6\n"),
    ],
)
def test_the_order_of_an_attempt_is_told_by_its_mark(told: str, order_id: str) -> None:
    assert without_mark(told) == order_id


@pytest.mark.parametrize(
    ("told", "is_named"),
    [("A1", True), ("A1_R52367A6", True), (None, False), ("A2", False), ("A1_R52367A7", False)],
)
def test_an_order_is_named_by_its_id_and_by_that_of_the_attempt(
    told: str | None, is_named: bool
) -> None:
    assert names_order(told, "A1", "reference") == is_named
