"""Promise 2: if the transaction cannot be kept to its end, nothing is recorded."""

import contextlib
import logging
from pathlib import Path
from typing import Any

import pytest
from flask import has_request_context, url_for
from sqlalchemy import create_engine, event, text
from sqlalchemy.orm import Session

from spayon_flask.signals import gateway_called, payment_paid, report_received
from spayon_flask.simulator import Simulator
from tests.promises.helpers import Fleet, just_before, order, pass_time, start
from tests.reports import report
from tests.shop import Shop

_REFUSE = """CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
'BEGIN RAISE EXCEPTION ''closed''; END'"""

_CLOSED = """CREATE CONSTRAINT TRIGGER closed AFTER UPDATE ON shop_order
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()"""


@pytest.fixture
def other_url(any_shop: Shop, tmp_path: Path) -> str:
    """Another database than that of the payments."""
    return f"sqlite:///{tmp_path / 'other.db'}"


class TestTwoDatabases:
    """The orders may be in another database; only two-phase commit commits both or neither."""

    def test_a_handler_that_writes_to_a_second_database_is_stopped(
        self, any_shop: Shop, other_url: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        any_shop.add_pending()
        other = create_engine(other_url)

        with other.begin() as connection:
            connection.execute(text("CREATE TABLE shipped (id INTEGER)"))

        def ship(*_: object) -> None:
            session = any_shop.db.session
            session.connection(bind_arguments={"bind": other}).execute(
                text("INSERT INTO shipped VALUES (1)")
            )

        any_shop.handle = ship
        assert any_shop.deliver(report()) == 500
        assert "two-phase commit" in caplog.text
        assert (any_shop.payment().status, any_shop.callbacks()) == ("pending", [])

        with other.connect() as connection:
            assert connection.execute(text("SELECT * FROM shipped")).all() == []

        any_shop.handle = None
        assert any_shop.deliver(report()) == 200
        other.dispose()

    def test_reading_from_a_second_database_is_fine(self, any_shop: Shop, other_url: str) -> None:
        any_shop.add_pending()
        other = create_engine(other_url)

        def look(*_: object) -> None:
            session = any_shop.db.session
            session.connection(bind_arguments={"bind": other}).execute(text("SELECT 1"))

        any_shop.handle = look
        assert any_shop.deliver(report()) == 200
        other.dispose()


class TestDatabasesThatRollBack:
    """Some errors end the transaction, whatever the handler does with the error."""

    @pytest.mark.parametrize("any_shop", ["sqlite"], indirect=True)
    @pytest.mark.parametrize("nested", [False, True], ids=["plain", "in a savepoint"])
    def test_a_trigger_of_sqlite_that_rolls_back_keeps_nothing(
        self, any_shop: Shop, *, nested: bool
    ) -> None:
        any_shop.add_pending()

        with any_shop.app.app_context():
            any_shop.db.session.execute(
                text(
                    "CREATE TRIGGER full BEFORE INSERT ON shop_order BEGIN"
                    " SELECT RAISE(ROLLBACK, 'database or disk is full'); END"
                )
            )
            any_shop.db.session.commit()

        def swallow(*_: object) -> None:
            session = any_shop.db.session
            session.flush()
            around: Any = session.begin_nested() if nested else contextlib.nullcontext()

            with contextlib.suppress(Exception), around:
                session.execute(text("INSERT INTO shop_order VALUES ('A2', '1', 'AMD', 0)"))

            session.execute(text("UPDATE shop_order SET price = '7'"))

        any_shop.handle = swallow
        assert any_shop.deliver(report()) == 500
        assert (any_shop.payment().status, any_shop.callbacks()) == ("pending", [])
        assert any_shop.paid_times() == 0

        with any_shop.app.app_context():
            assert any_shop.db.session.get_one(any_shop.orders, "A1").price == "1000"


class TestCommitsThatAreRefused:
    """Whatever refuses the commit after a handler is a failure of the handler."""

    def test_it_counts_as_a_failure_and_leads_to_review(self, any_shop: Shop) -> None:
        any_shop.add_pending()

        def refuse(_: Session) -> None:
            raise RuntimeError("the books are closed")

        def listen(*_: object) -> None:
            # Once for this transaction, as a deferred trigger of the database would.
            event.listen(any_shop.db.session(), "before_commit", refuse, once=True)

        any_shop.handle = lambda status, _: listen() if status == "paid" else None
        answers = [any_shop.deliver(report()) for _ in range(4)]
        any_shop.clock.step(3 * 24 * 3600)

        assert [*answers, any_shop.deliver(report())] == [500, 500, 500, 500, 200]
        assert any_shop.payment().review == "handler_failed"

    @pytest.mark.parametrize("any_shop", ["postgresql"], indirect=True)
    def test_a_deferred_trigger_is_a_failure_of_the_handler(
        self, any_shop: Shop, caplog: pytest.LogCaptureFixture
    ) -> None:
        any_shop.add_pending()

        with any_shop.app.app_context():
            any_shop.db.session.execute(text(_REFUSE))
            any_shop.db.session.execute(text(_CLOSED))
            any_shop.db.session.commit()

        try:
            with caplog.at_level(logging.ERROR):
                assert any_shop.deliver(report()) == 500

        finally:
            with any_shop.app.app_context():
                any_shop.db.session.execute(text("DROP TRIGGER closed ON shop_order"))
                any_shop.db.session.commit()

        assert "could not be committed" in caplog.text
        assert any_shop.payment().handler_failures == 1


class TestPresent:
    """A handler sees what was committed while our own first write waited."""

    def test_an_order_that_is_cancelled_meanwhile_is_not_shipped(
        self, any_shop: Shop, fleet: Fleet
    ) -> None:
        any_shop.add_pending()
        twin = fleet.join(any_shop)
        seen = []

        def cancel() -> None:
            with twin.app.app_context():
                twin.db.session.get_one(twin.orders, "A1").price = "0"
                twin.db.session.commit()

        def look(*_: object) -> None:
            any_shop.db.session.expire_all()
            seen.append(any_shop.db.session.get_one(any_shop.orders, "A1").price)

        any_shop.spayon.handlers.functions["on_paid"][:] = [look]

        with just_before(any_shop, "INSERT INTO spayon_callback", cancel):
            assert any_shop.deliver(report()) == 200

        assert seen == ["0"]

    def test_what_was_typed_meets_the_order_as_it_is_by_then(
        self, any_shop: Shop, gateway: Simulator, fleet: Fleet
    ) -> None:
        any_shop.add_order()
        twin = fleet.join(any_shop)
        seen = []

        def cancel() -> None:
            with twin.app.app_context():
                twin.db.session.get_one(twin.orders, "A1").paid_times = 7
                twin.db.session.commit()

        def look(*_: object) -> None:
            any_shop.db.session.expire_all()
            seen.append(any_shop.db.session.get_one(any_shop.orders, "A1").paid_times)

        any_shop.spayon.on_details(look)

        with just_before(any_shop, "INSERT INTO spayon_payment", cancel):
            any_shop.app.test_client().post(
                "/pay/checkout/A1", data={"email": "a@example.com", "full_name": "Ani"}
            )

        assert seen[-1] == 7


class TestAfterTheCommit:
    """Whatever a receiver or the dispatcher leaves in `db.session` changes nothing."""

    def test_what_a_receiver_leaves_stops_nobody(self, any_shop: Shop, gateway: Simulator) -> None:
        for number in ("A1", "A2"):
            any_shop.add_order(number)
            start(any_shop, order(number))

        def leave(*_: object, **__: object) -> None:
            any_shop.db.session.get_one(any_shop.orders, "A1").price = "66"

        signals = (gateway_called, report_received, payment_paid)
        gateway.hold_callbacks()

        for number in ("A1", "A2"):
            gateway.pay(gateway.sessions.of_order(number)[0].id, wait=False)

        pass_time(any_shop, gateway, 60)

        with contextlib.ExitStack() as stack, any_shop.app.app_context():
            for signal in signals:
                stack.enter_context(signal.connected_to(leave))

            assert any_shop.spayon.reconcile(jobs=1).changed == {"paid": 2}

        with any_shop.app.app_context():
            assert any_shop.db.session.get_one(any_shop.orders, "A1").price == "1000"

    def test_what_the_shop_has_in_its_session_stays(
        self, any_shop: Shop, gateway: Simulator
    ) -> None:
        any_shop.add_order()
        payment = start(any_shop, order())

        with any_shop.app.app_context(), gateway_called.connected_to(lambda *_, **__: None):
            row = any_shop.db.session.get_one(any_shop.orders, "A1")
            row.price = "55"
            any_shop.spayon.client.get_session(payment.session_id)
            assert row.price == "55"


class TestSurroundings:
    """A handler sees the same, whoever calls it."""

    def test_there_is_no_request_and_links_are_under_public_url(
        self, any_shop: Shop, gateway: Simulator
    ) -> None:
        seen: list[tuple[str, bool, str]] = []

        def look(status: str, *_: object) -> None:
            link = url_for("spayon.checkout", order_id="A1", _external=True)
            seen.append((status, has_request_context(), link))

        any_shop.handle = look
        any_shop.spayon.on_details(lambda *_: look("details"))
        any_shop.spayon.dispatcher(lambda _: look("dispatcher"))
        gateway.hold_callbacks()

        for number in ("A1", "A2", "A3"):
            any_shop.add_order(number)
            any_shop.app.test_client().post(
                f"/pay/checkout/{number}", data={"email": "a@example.com", "full_name": "Ani"}
            )
            gateway.pay(gateway.sessions.of_order(number)[0].id, wait=False)

        first, second, _ = (gateway.sessions.of_order(f"A{n}")[0].id for n in (1, 2, 3))
        assert any_shop.deliver(gateway.deliveries.of(first)[0].body) == 200
        any_shop.app.test_client().get(f"/pay/return?session_id={second}", base_url="http://x.test")
        pass_time(any_shop, gateway, 60)

        with any_shop.app.app_context():
            any_shop.spayon.reconcile()

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
    any_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    any_shop.add_pending()

    def refuse(*_: object, **__: object) -> None:
        # Other threads of the shop go through the listeners of the engine at this moment.
        raise AssertionError("a listener is set")

    monkeypatch.setattr(event, "listen", refuse)

    assert any_shop.deliver(report()) == 200


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
    any_shop: Shop, told: str | None, stored: str
) -> None:
    any_shop.add_pending()
    any_shop.clock.step(300)

    assert any_shop.deliver(report(updatedAt=told)) == 200
    paid_at = any_shop.payment().paid_at
    assert paid_at is not None
    assert paid_at.isoformat() == stored


def test_an_order_id_of_twenty_digits_as_a_number_is_that_of_the_order(any_shop: Shop) -> None:
    number = "12345678901234567890"
    any_shop.add_order(number)
    any_shop.add_payment(order_id=number)

    assert any_shop.deliver(report(orderId=int(number))) == 200
    assert any_shop.payment().status == "paid"


@pytest.mark.parametrize("order_id", ["\ud800", "\x1b[31m", "A1\r\n", "A1\x00", "x" * 300])
def test_an_order_id_that_nothing_can_show_is_recorded_and_printable(
    any_shop: Shop, order_id: str
) -> None:
    any_shop.add_pending()

    assert any_shop.deliver(report(orderId=order_id)) == 200
    assert any_shop.payment().review == "order_differs"
    assert any_shop.deliver(report("S9", orderId=order_id)) == 200
