"""Flask itself: factories, several apps, prefixes, and a shop's own ways with SQLAlchemy."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import new_class
from typing import Any

import pytest
from flask import Blueprint, Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Enum, MetaData, String, TypeDecorator, func
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import (
    DeclarativeBase,
    DeclarativeBaseNoMeta,
    Mapped,
    MappedAsDataclass,
    declarative_base,
    mapped_column,
)

from spayon_flask import CallbackMixin, PaymentMixin, Spayon
from tests.neighbours.shop import Gateway, Parts, make_app, make_parts


def buy(app: Flask, gateway: Gateway, order_id: str = "A1", at: str = "/pay") -> str:
    """Pay an order to the end; return the URL that Spayon was given for callbacks."""
    gateway.shop = app
    session = gateway.session_at(app.test_client().post(f"{at}/checkout/{order_id}"))
    gateway.pay(session.id)
    return str(session.creation.callback_url)


def test_one_object_serves_several_apps_in_a_process(gateway: Gateway) -> None:
    parts = make_parts()
    apps = [make_app(parts, **gateway.config()) for _ in range(2)]

    for number, app in enumerate(apps):
        buy(app, gateway, f"A{number}")

    assert parts.paid == ["A0", "A1"]

    for number, app in enumerate(apps):
        with app.app_context():
            found = parts.db.session.scalars(parts.db.select(parts.spayon.Payment))
            assert [payment.order_id for payment in found] == [f"A{number}"]


def test_a_blueprint_inside_the_shop_s_own_blueprint_gets_its_whole_prefix(
    gateway: Gateway,
) -> None:
    parts = make_parts()
    app = make_app(**gateway.config())
    parts.db.init_app(app)
    parts.spayon.init_app(app)
    outer = Blueprint("outer", "outer", url_prefix="/tea")
    outer.register_blueprint(parts.spayon.blueprint, url_prefix="/pay")
    app.register_blueprint(outer)

    with app.app_context():
        parts.db.create_all()

    assert buy(app, gateway, at="/tea/pay") == "http://shop.test/tea/pay/callback"
    assert parts.paid == ["A1"]


def test_application_root_is_part_of_the_urls(gateway: Gateway) -> None:
    parts = make_parts()
    app = make_app(parts, APPLICATION_ROOT="/shop", SPAYON_PUBLIC_URL=None, **gateway.config())
    client = app.test_client()
    page = client.get("/pay/checkout/A1", base_url="http://shop.test/shop").text

    answer = client.post("/pay/checkout/A1", base_url="http://shop.test/shop")

    creation = gateway.session_at(answer).creation
    assert creation.callback_url == "http://shop.test/shop/pay/callback"
    assert creation.return_url == "http://shop.test/shop/pay/return"
    assert 'href="/shop/pay/static/spayon/spayon.css' in page


def modern(*bases: type, **options: Any) -> SQLAlchemy:
    """A shop whose models have a base class of its own."""
    base = new_class("Base", bases or (DeclarativeBase,))
    return SQLAlchemy(model_class=base, **options)


#: How a shop names its constraints.
NAMES = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(constraint_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "pk": "pk_%(table_name)s",
}

SHOPS: dict[str, Callable[[], SQLAlchemy]] = {
    "modern": modern,
    "without a metaclass": lambda: modern(DeclarativeBaseNoMeta),
    "dataclasses": lambda: modern(MappedAsDataclass, DeclarativeBase),
    "classic": lambda: SQLAlchemy(model_class=declarative_base()),
    "named constraints": lambda: SQLAlchemy(metadata=MetaData(naming_convention=NAMES)),
    "in a schema": lambda: SQLAlchemy(metadata=MetaData(schema="main")),
}


@pytest.mark.parametrize("make_db", SHOPS.values(), ids=SHOPS)
def test_a_purchase_ends_paid_whatever_the_shop_s_models_are_like(
    make_db: Callable[[], SQLAlchemy], gateway: Gateway
) -> None:
    try:
        parts = make_parts(make_db())

    except InvalidRequestError:
        pytest.skip("Flask-SQLAlchemy 3.1 takes no dataclasses with SQLAlchemy 2.1")

    app = make_app(parts, **gateway.config())
    buy(app, gateway)
    assert parts.paid == ["A1"]

    with app.app_context():
        payment = parts.db.session.scalars(parts.db.select(parts.spayon.Payment)).one()
        assert payment.status == "paid"


class Backwards(TypeDecorator[str]):
    """A shop's own type of a column, which the database holds in another form."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, _: Any) -> str | None:
        return value and value[::-1]

    def process_result_value(self, value: str | None, _: Any) -> str | None:
        return value and value[::-1]


def make_own(db: SQLAlchemy, base: Any) -> Parts:
    """Return the parts of a shop with model classes and columns of its own."""

    class Payment(PaymentMixin, base):  # type: ignore[misc]  # any base
        __tablename__ = "tea_payment"
        cups: Mapped[int] = mapped_column(default=3)
        changes: Mapped[int | None] = mapped_column(onupdate=7)
        product_name: Mapped[str | None] = mapped_column(Backwards(255))

    class Callback(CallbackMixin, base):  # type: ignore[misc]  # made at run time
        __tablename__ = "tea_callback"
        cups: Mapped[int] = mapped_column(default=3)
        leaves: Mapped[int] = mapped_column(default=lambda: 4)
        letters: Mapped[int] = mapped_column(default=func.length("tea"))

    return make_parts(db, payment_class=Payment, callback_class=Callback)


@contextmanager
def opened(parts: Parts, gateway: Gateway, database_url: str) -> Iterator[Flask]:
    """Open the shop of *parts* on a database, and leave no connection to it."""
    app = make_app(parts, SQLALCHEMY_DATABASE_URI=database_url, **gateway.config())

    try:
        yield app

    finally:
        with app.app_context():
            parts.db.engine.dispose()


def test_a_shop_brings_model_classes_and_columns_of_its_own(
    gateway: Gateway, database_url: str
) -> None:
    db = modern()
    parts = make_own(db, db.Model)
    read: list[str] = []

    @parts.spayon.on_paid
    def pour(payment: Any) -> None:
        payment.cups -= 1
        read.append(payment.product_name)

    with opened(parts, gateway, database_url) as app:
        buy(app, gateway)

        with app.app_context():
            payment = db.session.scalars(db.select(parts.spayon.Payment)).one()
            kept = db.session.scalars(db.select(parts.spayon.Callback)).one()
            assert (payment.cups, payment.changes) == (2, 7)
            assert (kept.cups, kept.leaves, kept.letters) == (3, 4, 3)

    # A column of a type of the shop's own is read as the shop wrote it.
    assert read == ["Tea"]
    assert {"tea_payment", "tea_callback"} == set(db.metadata.tables)


@pytest.mark.parametrize("enumerated", ["payment", "callback"])
def test_a_status_may_be_of_a_type_of_the_shop_s_own(
    gateway: Gateway, database_url: str, enumerated: str
) -> None:
    db = modern()
    statuses = Enum("pending", "paid", "failed", "expired", "review", name="tea_status")

    class Payment(PaymentMixin, db.Model):  # type: ignore[name-defined,misc]  # made at run time
        __tablename__ = "tea_payment"

        if enumerated == "payment":
            status: Mapped[str] = mapped_column(statuses)

    class Callback(CallbackMixin, db.Model):  # type: ignore[name-defined,misc]  # made at run time
        __tablename__ = "tea_callback"

        if enumerated == "callback":
            status: Mapped[str] = mapped_column(statuses)

    parts = make_parts(db, payment_class=Payment, callback_class=Callback)

    with opened(parts, gateway, database_url) as app:
        buy(app, gateway)

    assert parts.paid == ["A1"]


def test_a_prefix_of_the_tables_names_the_keys_too() -> None:
    parts = make_own(db := modern(), db.Model)
    table = parts.db.metadata.tables["tea_payment"]

    names = {str(key.name) for key in table.constraints if key.name}
    names |= {str(index.name) for index in table.indexes}

    assert names
    assert all("tea_payment" in name for name in names)


def test_own_classes_stand_in_a_second_database(gateway: Gateway, tmp_path: Any) -> None:
    db = modern()

    class Model(db.Model):  # type: ignore[name-defined,misc]  # made at run time
        __abstract__ = True
        __bind_key__ = "payments"

    parts = make_own(db, Model)
    url = f"sqlite:///{tmp_path / 'payments.db'}"
    app = make_app(parts, SQLALCHEMY_BINDS={"payments": url}, **gateway.config())

    buy(app, gateway)

    assert parts.paid == ["A1"]


def test_a_shop_module_that_is_imported_twice_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        db = modern()
        assert Spayon(db).Payment is Spayon(db).Payment
