"""Promise 2: if the transaction cannot be kept to its end, nothing is recorded."""

import contextlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask import has_request_context, url_for
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.orm import Session

from spayon_flask.signals import gateway_called, payment_paid, report_received
from spayon_flask.simulator import Simulator
from tests.promises.helpers import (
    change_order,
    counts_once_mended,
    execute,
    fail_for_days,
    is_undone,
    just_before,
    order,
    paid_in_silence,
    pass_time,
    post_checkout,
    price_of,
    reconcile,
    start,
)
from tests.reports import report
from tests.shop import Shop

_REFUSE = """CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
'BEGIN RAISE EXCEPTION ''closed''; END'"""

_CLOSED = """CREATE CONSTRAINT TRIGGER closed AFTER UPDATE ON shop_order
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Engine]:
    """Another database than that of the payments."""
    engine = create_engine(f"sqlite:///{tmp_path / 'other.db'}")

    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE shipped (id INTEGER)"))

    yield engine
    engine.dispose()


# The orders may be in another database; only two-phase commit commits both or neither.


def test_a_handler_that_writes_to_a_second_database_is_stopped(
    pending_shop: Shop, other: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    is_undone(
        pending_shop, lambda *_: _say_to(other, pending_shop, "INSERT INTO shipped VALUES (1)")
    )
    assert "two-phase commit" in caplog.text

    with other.connect() as connection:
        assert connection.execute(text("SELECT * FROM shipped")).all() == []

    counts_once_mended(pending_shop)


def test_reading_from_a_second_database_is_fine(pending_shop: Shop, other: Engine) -> None:
    pending_shop.handle = lambda *_: _say_to(other, pending_shop, "SELECT * FROM shipped")
    assert pending_shop.deliver(report()) == 200


def _say_to(other: Engine, shop: Shop, statement: str) -> None:
    connection = shop.db.session.connection(bind_arguments={"bind": other})
    connection.execute(text(statement))


# Some errors end the transaction, whatever the handler does with the error.


@pytest.mark.parametrize("any_shop", ["sqlite"], indirect=True)
@pytest.mark.parametrize("nested", [False, True], ids=["plain", "in a savepoint"])
def test_a_trigger_of_sqlite_that_rolls_back_keeps_nothing(
    pending_shop: Shop, *, nested: bool
) -> None:
    execute(
        pending_shop,
        "CREATE TRIGGER full BEFORE INSERT ON shop_order BEGIN"
        " SELECT RAISE(ROLLBACK, 'database or disk is full'); END",
    )

    def swallow(*_: object) -> None:
        session = pending_shop.db.session
        session.flush()
        around: Any = session.begin_nested() if nested else contextlib.nullcontext()

        with contextlib.suppress(Exception), around:
            session.execute(text("INSERT INTO shop_order VALUES ('A2', '1', 'AMD', 0)"))

        session.execute(text("UPDATE shop_order SET price = '7'"))

    is_undone(pending_shop, swallow)
    assert price_of(pending_shop) == "1000"


# Whatever refuses the commit after a handler is a failure of the handler.


def test_it_counts_as_a_failure_and_leads_to_review(pending_shop: Shop) -> None:
    def refuse(_: Session) -> None:
        raise RuntimeError("the books are closed")

    def listen(*_: object) -> None:
        # Once for this transaction, as a deferred trigger of the database would.
        event.listen(pending_shop.db.session(), "before_commit", refuse, once=True)

    pending_shop.handle = lambda status, _: listen() if status == "paid" else None

    assert fail_for_days(pending_shop) == [500, 500, 500, 500, 200]
    assert pending_shop.payment().review == "handler_failed"


@pytest.mark.parametrize("any_shop", ["postgresql"], indirect=True)
def test_a_deferred_trigger_is_a_failure_of_the_handler(
    pending_shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    execute(pending_shop, _REFUSE, _CLOSED)

    try:
        assert pending_shop.deliver(report()) == 500

    finally:
        execute(pending_shop, "DROP TRIGGER closed ON shop_order")

    assert "could not be committed" in caplog.text
    assert pending_shop.payment().handler_failures == 1


# A handler sees what was committed while our own first write waited.


def test_an_order_that_is_cancelled_meanwhile_is_not_shipped(
    pending_shop: Shop, twin: Shop
) -> None:
    seen = []

    def look(*_: object) -> None:
        pending_shop.db.session.expire_all()
        seen.append(pending_shop.db.session.get_one(pending_shop.orders, "A1").price)

    pending_shop.spayon.handlers.functions["on_paid"][:] = [look]

    with just_before(
        pending_shop, "INSERT INTO spayon_callback", partial(change_order, twin, price="0")
    ):
        assert pending_shop.deliver(report()) == 200

    assert seen == ["0"]


def test_what_was_typed_meets_the_order_as_it_is_by_then(
    any_shop: Shop, gateway: Simulator, twin: Shop
) -> None:
    any_shop.add_order()
    seen = []

    def look(*_: object) -> None:
        any_shop.db.session.expire_all()
        seen.append(any_shop.db.session.get_one(any_shop.orders, "A1").paid_times)

    any_shop.spayon.on_details(look)

    change = partial(change_order, twin, paid_times=7)

    with just_before(any_shop, "INSERT INTO spayon_payment", change):
        post_checkout(any_shop, email="a@example.com", full_name="Ani")

    assert seen[-1] == 7


# Whatever a receiver or the dispatcher leaves in `db.session` changes nothing.


def test_what_a_receiver_leaves_stops_nobody(any_shop: Shop, gateway: Simulator) -> None:
    for number in ("A1", "A2"):
        any_shop.add_order(number)
        paid_in_silence(gateway, start(any_shop, order(number)).session_id)

    def leave(*_: object, **__: object) -> None:
        any_shop.db.session.get_one(any_shop.orders, "A1").price = "66"

    pass_time(any_shop, gateway, 60)

    with contextlib.ExitStack() as stack:
        for signal in (gateway_called, report_received, payment_paid):
            stack.enter_context(signal.connected_to(leave))

        assert reconcile(any_shop, jobs=1).changed == {"paid": 2}

    assert price_of(any_shop) == "1000"


def test_what_the_shop_has_in_its_session_stays(
    any_shop: Shop, gateway: Simulator, payment: Any
) -> None:
    with any_shop.app.app_context(), gateway_called.connected_to(lambda *_, **__: None):
        row = any_shop.db.session.get_one(any_shop.orders, "A1")
        row.price = "55"
        any_shop.spayon.client.get_session(payment.session_id)
        assert row.price == "55"


# A handler sees the same, whoever calls it.


def test_there_is_no_request_and_links_are_under_public_url(
    any_shop: Shop, gateway: Simulator
) -> None:
    seen: list[tuple[str, bool, str]] = []

    def look(status: str, *_: object) -> None:
        link = url_for("spayon.checkout", order_id="A1", _external=True)
        seen.append((status, has_request_context(), link))

    any_shop.handle = look
    any_shop.spayon.on_details(lambda *_: look("details"))
    any_shop.spayon.dispatcher(lambda _: look("dispatcher"))
    sessions, bodies = [], []

    for number in ("A1", "A2", "A3"):
        any_shop.add_order(number)
        post_checkout(any_shop, number, email="a@example.com", full_name="Ani")
        sessions.append(gateway.sessions.of_order(number)[0].id)
        bodies.append(paid_in_silence(gateway, sessions[-1]))

    # The first by its callback, the second by its return page, the third by reconcile.
    assert any_shop.deliver(bodies[0]) == 200
    returned = f"/pay/return?session_id={sessions[1]}"
    any_shop.app.test_client().get(returned, base_url="http://x.test")
    pass_time(any_shop, gateway, 60)
    reconcile(any_shop)

    assert [each[0] for each in seen].count("paid") == 3
    assert {"details", "dispatcher"} < {each[0] for each in seen}
    assert {each[1:] for each in seen} == {(False, "http://shop.test/pay/checkout/A1")}


def test_what_the_shop_wrote_into_a_column_of_a_payment_is_not_dropped_by_a_look(
    any_shop: Shop,
) -> None:
    any_shop.add_payment()

    with any_shop.app.app_context():
        payment = any_shop.spayon.payment_of("A1")
        assert payment is not None
        payment.reviewed_because = "mine"

        assert any_shop.spayon.payment_of("A1") is payment
        assert payment.reviewed_because == "mine"


def test_a_handler_that_runs_for_the_first_time_sets_no_listener(
    pending_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        # Other threads of the shop go through the listeners of the engine at this moment.
        raise AssertionError("a listener is set")

    monkeypatch.setattr(event, "listen", refuse)

    assert pending_shop.deliver(report()) == 200


def test_the_id_of_a_removed_payment_is_not_given_out_again(any_shop: Shop) -> None:
    first = any_shop.add_payment("S1")

    with any_shop.app.app_context():
        any_shop.db.session.delete(any_shop.db.session.get_one(any_shop.spayon.Payment, first))
        any_shop.db.session.commit()

    assert any_shop.add_payment("S2") > first


@pytest.mark.parametrize(
    ("told", "stored"),
    [
        ("2099-01-01T00:00:00.000Z", "2026-11-22T12:05:00+00:00"),
        ("2000-01-01T00:00:00.000Z", "2026-11-22T12:05:00+00:00"),
        ("2026-11-22T12:04:00.000Z", "2026-11-22T12:04:00+00:00"),
        (None, "2026-11-22T12:05:00+00:00"),
    ],
)
def test_paid_at_lies_between_the_creation_and_now(
    pending_shop: Shop, told: str | None, stored: str
) -> None:
    pending_shop.clock.step(300)

    assert pending_shop.deliver(report(updatedAt=told)) == 200
    assert pending_shop.payment().paid_at.isoformat() == stored


def test_an_order_id_of_twenty_digits_as_a_number_is_that_of_the_order(any_shop: Shop) -> None:
    number = "12345678901234567890"
    any_shop.add_order(number)
    any_shop.add_payment(order_id=number)

    assert any_shop.deliver(report(orderId=int(number))) == 200
    assert any_shop.payment().status == "paid"


@pytest.mark.parametrize("order_id", ["\ud800", "\x1b[31m", "A1\r\n", "A1\x00", "x" * 300])
def test_an_order_id_that_nothing_can_show_is_recorded_and_printable(
    pending_shop: Shop, order_id: str
) -> None:
    assert pending_shop.deliver(report(orderId=order_id)) == 200
    assert pending_shop.payment().review == "order_differs"
    assert pending_shop.deliver(report("S9", orderId=order_id)) == 200
