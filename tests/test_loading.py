"""Loading: what the shop's order loader is asked for, and what it may do wrong."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, abort
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import String
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Mapped, mapped_column
from werkzeug.test import TestResponse

from spayon_flask import HandlerError, Order, RegistrationError, Spayon
from spayon_flask.domain.handlers import Handlers, OrderLoader, load_order
from spayon_flask.simulator import Simulator
from spayon_flask.testing import Payer, connect
from tests.shop import CONFIG, Shop

ORDER = Order(order_id="A1", product_name="Tea", price=Decimal(1000), currency="AMD")


def load(loader: Any, key: str) -> Order | None:
    handlers = Handlers()

    if loader is not None:
        handlers.put("order_loader", loader)

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


def test_an_order_whose_key_is_not_what_was_asked_for_is_none() -> None:
    coded = replace(ORDER, key="k7Qz")

    assert load(lambda _: coded, "k7Qz") == coded
    # The number, another spelling, and a loader that forgets to hand the code over.
    assert load(lambda _: coded, "A1") is None
    assert load(lambda _: coded, "K7QZ") is None
    assert load(lambda _: ORDER, "k7Qz") is None
    assert load(lambda _: replace(ORDER, order_id="17", key="17"), "017") is None


class Numbered:
    """A shop whose orders have integer keys, on a simulator in the same process."""

    def __init__(self, database_url: str) -> None:
        self.db = SQLAlchemy()
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
    "digits only": lambda shop, key: shop.order(int(key)) if key.isdecimal() else None,
}


@pytest.mark.parametrize("loader", LOADERS)
def test_a_key_that_is_no_number_of_an_order_is_not_found(numbered: Numbered, loader: str) -> None:
    numbered.spayon.order_loader(lambda key: LOADERS[loader](numbered, key))

    for key in ("abc", "99999999999999999999", "18", "-1", "17a", "0x11", "1.7e1"):
        assert numbered.get(key).status_code == 404, key


@pytest.mark.parametrize("loader", LOADERS)
def test_another_spelling_of_a_key_is_not_found(numbered: Numbered, loader: str) -> None:
    numbered.spayon.order_loader(lambda key: LOADERS[loader](numbered, key))
    client = numbered.app.test_client()

    for key in ("017", "1_7", "%D9%A1%D9%A7"):
        assert numbered.get(key).status_code == 404, key
        assert client.post(f"/pay/checkout/{key}").status_code == 404, key

    assert numbered.get("17").status_code == 200


def test_the_order_is_paid_at_its_address(numbered: Numbered) -> None:
    numbered.spayon.order_loader(lambda key: LOADERS["an int"](numbered, key))

    assert Payer(numbered.app, numbered.simulator).pay("17").status_code == 200


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
    own_shop: Callable[..., Shop], database_url: str
) -> None:
    shop = own_shop(database_url)

    @shop.spayon.order_loader
    def load(_: str) -> Order | None:
        shop.db.session.execute(shop.db.text("SELECT * FROM no_such_table"))
        return None

    @shop.app.context_processor
    def user() -> dict[str, object]:
        return {"orders": shop.db.session.query(shop.orders).count()}

    assert shop.app.test_client().get("/pay/checkout/A1").status_code == 503


def test_every_link_back_leads_to_the_key_that_the_payer_came_with(shop: Shop) -> None:
    shop.spayon.order_loader(lambda key: replace(ORDER, key="k7Qz") if key == "k7Qz" else None)
    payer = Payer(shop.app, connect(shop.app), key_of=lambda _: "k7Qz")
    session_id = payer.decline("A1").session_id
    page = payer.client.get(f"/pay/return?session_id={session_id}").text

    assert "/pay/checkout/k7Qz" in page
    assert "/pay/checkout/A1" not in page
    assert shop.payment(session_id).order_key == "k7Qz"


def test_a_payment_from_before_there_were_keys_leads_back_by_its_number(shop: Shop) -> None:
    shop.add_payment(status="failed")

    assert "/pay/checkout/A1" in shop.app.test_client().get("/pay/return?session_id=S1").text
