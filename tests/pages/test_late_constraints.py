"""A constraint that PostgreSQL checks only at our COMMIT, in front of a payer who is back."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from spayon_flask.testing import Payer, connect
from tests.databases import Databases
from tests.kept import dispose
from tests.reports import report
from tests.shop import Shop, make_shop

TABLES = """
DROP TABLE IF EXISTS parcel, address;
CREATE TABLE address (id integer PRIMARY KEY);
CREATE TABLE parcel (
    order_id text,
    address_id integer REFERENCES address (id) DEFERRABLE INITIALLY DEFERRED
);
"""


@pytest.fixture
def shop(tmp_path: Path, worker_id: str) -> Iterator[Shop]:
    """A shop whose handler sends a parcel to an address that is not in the database."""
    made = Databases(tmp_path, f"spayon_late_{worker_id}")
    shop = make_shop(made.url("postgresql"))
    shop.add_order()
    execute(shop, TABLES)

    def send(status: str, payment: object) -> None:
        if status == "paid":
            shop.db.session.execute(text("INSERT INTO parcel VALUES ('A1', 7)"))

    shop.handle = send
    yield shop
    dispose(shop)
    made.close()


@pytest.fixture
def session_id(shop: Shop) -> str:
    """A payment session that is paid, and whose callback was lost."""
    simulator = connect(shop.app)
    shop.clock.now = simulator.clock.now()
    session_id = Payer(shop.app, simulator).checkout("A1")
    simulator.fault("callback_lost")
    simulator.pay(session_id)
    return session_id


def execute(shop: Shop, statements: str) -> None:
    with shop.app.app_context(), shop.db.engine.begin() as connection:
        connection.execute(text(statements))


def parcels(shop: Shop) -> int:
    with shop.app.app_context(), shop.db.engine.begin() as connection:
        return int(connection.execute(text("SELECT count(*) FROM parcel")).scalar_one())


def pages(shop: Shop, session_id: str) -> list[str]:
    """Return the addresses of the return and the cancel page."""
    return [
        f"/pay/return?session_id={session_id}",
        f"/pay/cancel/{shop.payment(session_id).reference}",
    ]


@pytest.mark.parametrize("number", [0, 1], ids=["return", "cancel"])
def test_a_payer_is_told_to_wait_if_the_commit_is_refused(
    shop: Shop, session_id: str, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "spayon_flask"):
        page = shop.app.test_client().get(pages(shop, session_id)[number])

    assert page.status_code == 200
    assert "Payment received" not in page.text
    assert "Nothing was charged" not in page.text
    assert "do not pay again" in page.text
    assert "what the handler wrote could not be committed (IntegrityError)" in caplog.text
    assert shop.payment(session_id).status == "pending"
    assert (parcels(shop), shop.paid_times()) == (0, 0)


@pytest.mark.parametrize("number", [0, 1], ids=["return", "cancel"])
def test_once_the_row_is_there_the_next_delivery_counts_once(
    shop: Shop, session_id: str, number: int
) -> None:
    client = shop.app.test_client()
    client.get(pages(shop, session_id)[number])
    assert shop.deliver(report(session_id)) == 500

    execute(shop, "INSERT INTO address VALUES (7)")

    assert [shop.deliver(report(session_id)) for _ in range(2)] == [200, 200]
    assert "Payment received" in client.get(pages(shop, session_id)[number]).text
    assert (parcels(shop), shop.paid_times()) == (1, 1)
