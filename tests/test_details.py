"""What a payer typed is handed to the shop with the payment, and kept nowhere by us."""

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from sqlalchemy import event, inspect, text

from spayon_flask.simulator import Simulator
from spayon_flask.testing import connect
from tests.shop import Shop

TYPED = {"email": "ani@example.com", "full_name": "Ani Sarkissian"}


@pytest.fixture
def simulator(any_shop: Shop) -> Simulator:
    any_shop.add_order()
    return connect(any_shop.app)


def pay(shop: Shop, **typed: str) -> int:
    return shop.app.test_client().post("/pay/checkout/A1", data=typed).status_code


def payments(shop: Shop) -> list[Any]:
    with shop.app.app_context():
        return list(shop.db.session.scalars(shop.db.select(shop.spayon.Payment)))


def test_what_the_payer_typed_is_handed_over_with_the_payment_and_kept_by_the_shop_alone(
    any_shop: Shop, simulator: Simulator
) -> None:
    got = []

    @any_shop.spayon.on_details
    def keep(payment: Any, details: Mapping[str, str]) -> None:
        got.append((payment.id, payment.order_id, payment.status, dict(details)))
        order = any_shop.db.session.get_one(any_shop.orders, payment.order_id)
        order.paid_times = len(details["email"])

    assert pay(any_shop, **TYPED) == 303

    (payment,) = payments(any_shop)
    assert got == [(payment.id, "A1", "pending", TYPED)]
    assert any_shop.paid_times() == len(TYPED["email"])
    assert len(simulator.sessions.of_order("A1")) == 1
    columns = inspect(any_shop.spayon.Payment).column_attrs
    kept = [str(getattr(payment, each.key)) for each in columns]
    assert not [text for text in kept if "ani" in text.lower()]


def test_if_it_fails_nothing_is_written_and_nothing_is_asked_of_spayon(
    any_shop: Shop, simulator: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    @any_shop.spayon.on_details
    def keep(payment: Any, details: Mapping[str, str]) -> None:
        any_shop.db.session.get_one(any_shop.orders, payment.order_id).paid_times = 7
        raise ValueError(f"cannot write to {details['email']}")

    assert pay(any_shop, **TYPED) == 503
    assert payments(any_shop) == []
    assert any_shop.paid_times() == 0
    assert simulator.sessions.created == 0
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "ValueError, at test_details.py:" in caplog.text
    assert "ani" not in caplog.text.lower()


def test_a_database_error_that_quotes_it_reaches_no_log(
    any_shop: Shop, simulator: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    @any_shop.spayon.on_details
    def keep(_: Any, details: Mapping[str, str]) -> None:
        any_shop.db.session.execute(
            any_shop.db.text("INSERT INTO no_such_table (email) VALUES (:email)"), details
        )

    assert pay(any_shop, **TYPED) == 503
    assert "test_details.py:" in caplog.text
    assert "ani" not in caplog.text.lower()


async def later() -> None: ...


@pytest.mark.parametrize(
    "keep",
    [lambda shop: shop.db.session.commit(), lambda _: later()],
    ids=["commits", "returns a coroutine"],
)
def test_a_function_that_cannot_be_trusted_is_a_failure(
    any_shop: Shop, simulator: Simulator, keep: Callable[[Shop], object]
) -> None:
    any_shop.spayon.on_details(lambda _payment, _details: keep(any_shop))

    assert pay(any_shop, **TYPED) == 503
    assert payments(any_shop) == []


@pytest.mark.parametrize("typed", [{}, {"email": " ", "full_name": ""}])
def test_a_payer_who_typed_nothing_is_not_told_of(
    any_shop: Shop, simulator: Simulator, typed: dict[str, str]
) -> None:
    any_shop.spayon.on_details(lambda _payment, _details: pytest.fail("told"))

    assert pay(any_shop, **typed) == 303


def test_what_is_typed_next_for_the_same_session_is_handed_over_as_well(
    any_shop: Shop, simulator: Simulator
) -> None:
    got = []
    any_shop.spayon.on_details(lambda payment, details: got.append((payment.id, details)))

    for email in ("stranger@example.com", "ani@example.com"):
        pay(any_shop, email=email)

    pay(any_shop)
    (payment,) = payments(any_shop)
    assert got == [
        (payment.id, {"email": "stranger@example.com"}),
        (payment.id, {"email": "ani@example.com"}),
    ]


@pytest.fixture
def invoices(any_shop: Shop) -> Iterator[None]:
    """A table of the shop's whose rows refer to payments by a foreign key."""
    with any_shop.app.app_context():
        db = any_shop.db
        is_sqlite = db.engine.dialect.name == "sqlite"

        if is_sqlite:
            event.listen(db.engine, "connect", _check_keys)
            db.engine.dispose()

        key = "INTEGER" if is_sqlite else "BIGINT"
        reference = "FOREIGN KEY (payment_id) REFERENCES spayon_payment (id)"
        db.session.execute(text(f"CREATE TABLE invoice (payment_id {key}, {reference})"))
        db.session.commit()

    @any_shop.spayon.on_details
    def keep(payment: Any, _details: Mapping[str, str]) -> None:
        insert = text("INSERT INTO invoice VALUES (:id)")
        any_shop.db.session.execute(insert, {"id": payment.id})

    yield

    with any_shop.app.app_context():
        any_shop.db.session.execute(text("DROP TABLE invoice"))
        any_shop.db.session.commit()


def _check_keys(connection: Any, _: object) -> None:
    connection.execute("PRAGMA foreign_keys = ON")


@pytest.mark.usefixtures("invoices")
def test_a_row_that_refers_to_the_payment_does_not_keep_the_order_if_spayon_is_away(
    any_shop: Shop, simulator: Simulator
) -> None:
    fault = simulator.fault("drop_after", on="sessions", times=None)
    assert [pay(any_shop, **TYPED) for _ in range(3)] == [503, 503, 503]

    assert [each.held_order_id for each in payments(any_shop)] == [None] * 3

    simulator.faults.clear(fault.number)
    assert pay(any_shop, **TYPED) == 303


@pytest.mark.usefixtures("invoices")
def test_nor_if_spayon_answers_with_the_session_of_an_earlier_attempt(
    any_shop: Shop, simulator: Simulator
) -> None:
    simulator.shape.change(used_order="the same session")
    pay(any_shop, **TYPED)
    simulator.decline(payments(any_shop)[0].session_id)

    assert pay(any_shop, **TYPED) == 303
