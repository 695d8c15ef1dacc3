"""Loading: what the shop's order loader is asked for, and what it may do wrong."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask import abort
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import String
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column
from werkzeug.test import TestResponse

from spayon_flask import HandlerError
from spayon_flask import Order
from spayon_flask import RegistrationError
from spayon_flask import Spayon
from spayon_flask.handlers import Handlers
from spayon_flask.handlers import OrderLoader
from spayon_flask.handlers import load_order
from spayon_flask.simulator import Simulator
from spayon_flask.testing import Payer
from spayon_flask.testing import connect
from tests.shop import CONFIG
from tests.shop import Shop


ORDER = Order(order_id="A1", product_name="Tea", price=Decimal(1000), currency="AMD")


def load(loader: Any, key: str) -> Order | None:
    handlers = Handlers()
    handlers.order_loader = loader
    return load_order(handlers, key)


def known(*orders: Order, read: Callable[[str], str] = str) -> OrderLoader:
    """Return a loader that knows *orders* by their keys, as *read* reads them."""
    by_key = {order.key: order for order in orders}
    return lambda key: by_key.get(read(key))


def test_an_order_is_loaded_by_its_number() -> None:
    assert load(known(ORDER), "A1") == ORDER
    assert load(known(ORDER), "B1") is None


@pytest.mark.parametrize("key", ["x" * 256, "a\x00", "a\n", " A1", "A1 "])
def test_a_loader_is_not_asked_for_what_is_no_key(key: str) -> None:
    assert load(lambda _: pytest.fail("asked"), key) is None


def test_without_a_loader_there_is_an_error_that_says_so() -> None:
    with pytest.raises(RegistrationError, match=r"@spayon\.order_loader"):
        load(None, "A1")


@pytest.mark.parametrize("found", ["A1", {"order_id": "A1"}, True, (ORDER,)])
def test_a_loader_that_returns_something_else_is_an_error(found: object) -> None:
    with pytest.raises(HandlerError, match=r"returned .*, not an Order or None"):
        load(lambda _: found, "A1")


def test_a_loader_that_returns_a_coroutine_is_an_error() -> None:
    async def later(_: str) -> Order:
        return ORDER

    with pytest.raises(HandlerError, match="coroutine, which nobody runs"):
        load(partial(later), "A1")


def test_an_order_keeps_the_key_that_the_payer_came_with() -> None:
    secret = replace(ORDER, key="k7Qz")

    assert load(known(secret), "k7Qz") == secret
    # A loader that knows a secret and says nothing of it.
    assert load(lambda key: ORDER if key == "k7Qz" else None, "k7Qz") == secret


def test_a_payer_who_came_with_the_number_is_not_given_the_secret() -> None:
    both = replace(ORDER, key="k7Qz")
    found = load(lambda key: both if key in ("k7Qz", "A1") else None, "A1")

    assert found is not None
    assert found.key == "A1"


def test_a_key_in_other_letters_is_the_key_in_the_shop_s_own() -> None:
    secret = replace(ORDER, key="k7Qz")
    found = load(known(secret, read=lambda key: "k7Qz" if key.lower() == "k7qz" else key), "K7QZ")

    assert found == secret


@pytest.mark.parametrize("asked", ["017", "+17", "1_7", "١٧", "00000000000000000017"])
@pytest.mark.parametrize("echoes", [True, False])
def test_another_spelling_of_a_number_is_the_number(asked: str, echoes: bool) -> None:
    order = replace(ORDER, order_id="17", key="17")

    def loader(key: str) -> Order | None:
        if int(key) != 17:
            return None

        return replace(order, order_id=key, key=key) if echoes else order

    assert load(loader, asked) == order


@pytest.mark.parametrize("asked", ["17a", "17.0", "1.7e1", "17 or 1=1"])
def test_what_a_database_reads_as_the_number_is_the_number(asked: str) -> None:
    def echo(key: str) -> Order | None:
        return replace(ORDER, order_id=key, key=key)

    assert load(echo, asked) == replace(ORDER, order_id="17", key="17")


@pytest.mark.parametrize(
    "asked", ["2026-17", "17a", "1e99", "3f2504e0-4f89-11d3-9a0c-0305e82c3301"]
)
def test_a_loader_that_cannot_read_a_number_is_not_hurt(asked: str) -> None:
    def echo(key: str) -> Order | None:
        return replace(ORDER, order_id=key, key=key) if key == asked else broken("a bug")

    assert load(echo, asked) == replace(ORDER, order_id=asked, key=asked)


def test_orders_whose_numbers_only_look_alike_are_different_orders() -> None:
    padded = replace(ORDER, order_id="017", key="017")
    other = replace(ORDER, order_id="17", key="17", price=Decimal(2000))

    assert load(known(padded, other), "017") == padded
    assert load(known(padded), "017") == padded


class Numbered:
    """A shop whose orders have integer keys, on a simulator in the same process."""

    def __init__(self, database_url: str) -> None:
        class Base(DeclarativeBase):
            pass

        self.db = SQLAlchemy(model_class=Base)
        self.spayon = Spayon(self.db)

        class NumberedOrder(self.db.Model):  # type: ignore[name-defined,misc]  # made for each shop
            id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
            title: Mapped[str] = mapped_column(String(40), default="Tea")

        self.model = NumberedOrder
        self.app = Flask("shop", root_path=str(Path(__file__).parent))
        self.app.config.update(CONFIG, SQLALCHEMY_DATABASE_URI=database_url)
        self.db.init_app(self.app)
        self.spayon.init_app(self.app)
        self.app.register_blueprint(self.spayon.blueprint, url_prefix="/pay")
        self.simulator: Simulator = connect(self.app)

        with self.app.app_context():
            self.db.drop_all()
            self.db.create_all()
            self.db.session.add(NumberedOrder(id=17))
            self.db.session.commit()

    def get(self, key: str) -> TestResponse:
        return self.app.test_client().get(f"/pay/checkout/{key}")

    def order(self, key: Any, order_id: str | None = None) -> Order | None:
        row = self.db.session.get(self.model, key)
        return row and Order(
            order_id=order_id or str(row.id),
            product_name=row.title,
            price=Decimal(1000),
            currency="AMD",
        )


@pytest.fixture
def numbered(database_url: str) -> Iterator[Numbered]:
    shop = Numbered(database_url)
    yield shop

    with shop.app.app_context():
        shop.db.session.remove()
        shop.db.engine.dispose()


LOADERS: dict[str, Callable[[Numbered, str], Order | None]] = {
    "the text": lambda shop, key: shop.order(key),
    "an int": lambda shop, key: shop.order(int(key)),
    "an echo": lambda shop, key: shop.order(key, key),
    "digits only": lambda shop, key: shop.order(int(key)) if key.isdecimal() else None,
}


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("key", ["abc", "99999999999999999999", "18", "-1", "17a", "0x11", "1.7e1"])
def test_a_key_that_is_no_number_of_an_order_is_not_found(
    numbered: Numbered, loader: str, key: str
) -> None:
    numbered.spayon.order_loader(lambda key: LOADERS[loader](numbered, key))
    answer = numbered.get(key)

    # MariaDB and SQLite read a number where others see text. The payer gets to the right order.
    if answer.status_code == 303:
        assert answer.location == "/pay/checkout/17"

    else:
        assert answer.status_code == 404


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("key", ["017", "1_7", "%D9%A1%D9%A7"])
def test_an_order_has_one_address(numbered: Numbered, loader: str, key: str) -> None:
    numbered.spayon.order_loader(lambda key: LOADERS[loader](numbered, key))
    answer = numbered.get(key)

    # Some databases take "1_7" for no number at all.
    assert answer.status_code in (303, 404)
    assert answer.status_code == 404 or answer.location == "/pay/checkout/17"
    assert numbered.get("17").status_code == 200


def test_what_was_typed_at_another_address_is_not_paid(numbered: Numbered) -> None:
    numbered.spayon.order_loader(lambda key: LOADERS["an echo"](numbered, key))
    answer = numbered.app.test_client().post("/pay/checkout/017")

    assert (answer.status_code, answer.location) == (303, "/pay/checkout/17")
    assert not numbered.simulator.sessions.of_order("017")


def test_the_order_is_paid_at_its_address(numbered: Numbered) -> None:
    numbered.spayon.order_loader(lambda key: LOADERS["an int"](numbered, key))

    assert Payer(numbered.app, numbered.simulator).pay("17").status_code == 200


def test_a_uuid_that_is_none_is_not_found(shop: Shop) -> None:
    @shop.spayon.order_loader
    def load(key: str) -> Order | None:
        return replace(ORDER, order_id=str(uuid.UUID(key)))

    assert shop.app.test_client().get("/pay/checkout/abc").status_code == 404


def broken(reason: str) -> Order | None:
    match reason:
        case "price 0":
            return replace(ORDER, price=Decimal(0))
        case "a name of 300 letters":
            return replace(ORDER, product_name="x" * 300)
        case "a float":
            return replace(ORDER, price=9.5)  # type: ignore[arg-type]  # what is tested
        case "a dict":
            return {"order_id": "A1"}  # type: ignore[return-value]  # what is tested
        case "a bug":
            return replace(ORDER, price=Decimal(int("many")))
        case _:
            raise OperationalError("SELECT", {}, Exception("the server is gone"))


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("price 0", "price: must be a positive amount"),
        ("a name of 300 letters", "product_name must have 1 to 255 characters"),
        ("a float", "price must be a Decimal"),
        ("a dict", "returned dict, not an Order or None"),
        ("a bug", "invalid literal for int"),
        ("a lost server", "the server is gone"),
    ],
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_loader_that_fails_is_a_friendly_page_and_the_reason_is_logged(
    shop: Shop, caplog: pytest.LogCaptureFixture, reason: str, said: str, method: str
) -> None:
    shop.spayon.order_loader(lambda _: broken(reason))
    answer = getattr(shop.app.test_client(), method)("/pay/checkout/A1")

    assert answer.status_code == 503
    assert "text/html" in answer.content_type
    assert "/pay/checkout/A1" in answer.text
    assert said not in answer.text
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert said in caplog.text


@pytest.mark.parametrize("status_code", [401, 403, 404, 410])
def test_a_loader_may_abort(shop: Shop, status_code: int) -> None:
    shop.spayon.order_loader(lambda _: abort(status_code))

    assert shop.app.test_client().get("/pay/checkout/A1").status_code == status_code


def test_after_a_loader_has_failed_in_the_database_the_page_can_still_read_it(
    any_shop: Shop,
) -> None:
    @any_shop.spayon.order_loader
    def load(_: str) -> Order | None:
        any_shop.db.session.execute(any_shop.db.text("SELECT * FROM no_such_table"))
        return None

    @any_shop.app.context_processor
    def user() -> dict[str, object]:
        return {"orders": any_shop.db.session.query(any_shop.orders).count()}

    assert any_shop.app.test_client().get("/pay/checkout/A1").status_code == 503


def test_every_link_back_leads_to_the_key_that_the_payer_came_with(shop: Shop) -> None:
    shop.spayon.order_loader(lambda key: ORDER if key == "k7Qz" else None)
    payer = Payer(shop.app, connect(shop.app), key_of=lambda _: "k7Qz")
    session_id = payer.decline("A1").session_id
    page = payer.client.get(f"/pay/return?session_id={session_id}").text

    assert "/pay/checkout/k7Qz" in page
    assert "/pay/checkout/A1" not in page
    assert shop.payment(session_id).order_key == "k7Qz"


def test_a_payment_from_before_there_were_keys_leads_back_by_its_number(shop: Shop) -> None:
    shop.add_payment(status="failed")

    assert "/pay/checkout/A1" in shop.app.test_client().get("/pay/return?session_id=S1").text
