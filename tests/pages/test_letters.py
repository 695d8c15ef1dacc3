"""An order in Armenian, in a shop whose database has no Armenian letters."""

import itertools
import logging
import os
from collections.abc import Iterator
from decimal import Decimal

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from spayon_flask import Order
from spayon_flask.testing import connect
from tests.databases import SERVERS
from tests.kept import dispose
from tests.needs import missing
from tests.shop import Shop, make_shop

#: How a database without Armenian letters is made.
LATIN = {
    "mariadb": "CHARACTER SET latin1",
    "postgresql": "ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0",
}

#: PostgreSQL's driver encodes as the database does, unless it is told otherwise.
OPTIONS = {"mariadb": {}, "postgresql": {}, "postgresql in UTF8": {"client_encoding": "utf8"}}

_numbers = itertools.count()


@pytest.fixture(params=list(OPTIONS))
def latin(request: pytest.FixtureRequest, worker_id: str) -> Iterator[Shop]:
    """A shop on tables in Latin-1, whose loader has a product in Armenian and one in English."""
    name = f"spayon_latin_{worker_id}_{os.getpid()}_{next(_numbers)}"
    engine = str(request.param).partition(" ")[0]
    server = create_engine(SERVERS[engine], isolation_level="AUTOCOMMIT")

    try:
        with server.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} {LATIN[engine]}"))

    except OperationalError:
        missing(f"a {engine} server")

    shop = make_shop(
        make_url(SERVERS[engine]).set(database=name).render_as_string(hide_password=False),
        SQLALCHEMY_ENGINE_OPTIONS={"connect_args": OPTIONS[request.param]},
    )

    @shop.spayon.order_loader
    def load(order_id: str) -> Order:
        product_name = "Թեյ" if order_id == "A1" else "Tea"
        return Order(
            order_id=order_id, product_name=product_name, price=Decimal(1000), currency="AMD"
        )

    connect(shop.app)
    yield shop
    dispose(shop)

    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name}"))

    server.dispose()


def test_the_order_is_kept_and_the_log_says_what_to_do(
    latin: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    client = latin.app.test_client()
    assert "Թեյ" in client.get("/pay/checkout/A1").text

    with caplog.at_level(logging.ERROR, "spayon_flask"):
        page = client.post("/pay/checkout/A1")

    assert page.status_code == 503
    assert "Your order is kept" in page.text
    assert 'href="/pay/checkout/A1"' in page.text
    (record,) = caplog.records
    assert record.getMessage() == (
        "checkout failed: the character set of the database lacks a letter of what was to be "
        "written: on MariaDB ALTER TABLE ... CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, "
        "on PostgreSQL make a database in UTF8"
    )
    assert vars(record)["order_id"] == "A1"


def test_other_orders_of_the_same_shop_can_be_paid_after_it(latin: Shop) -> None:
    client = latin.app.test_client()
    client.post("/pay/checkout/A1")

    assert client.post("/pay/checkout/A2").status_code == 303

    with latin.app.app_context():
        assert latin.spayon.payment_of("A1") is None
