"""Promise 6: reports about sessions that we do not know, or do not know yet."""

from typing import Any

import pytest

from spayon_flask import GatewayUnavailableError, OrderNotPayableError
from spayon_flask.simulator import Simulator
from tests.promises.helpers import (
    Fleet,
    at_once,
    lose_the_answer,
    order,
    pass_time,
    payments,
    refresh,
    start,
)
from tests.reports import report
from tests.shop import Shop


class TestUnknownSessions:
    """Nothing that was signed is thrown away."""

    def test_a_callback_before_the_answer_to_the_creation_counts(
        self, any_shop: Shop, gateway: Simulator
    ) -> None:
        _pay_before_the_answer(any_shop, gateway)

        assert any_shop.paid_times() == 1
        assert [each.status for each in payments(any_shop)] == ["paid"]

    def test_nobody_asks_about_a_payment_that_was_paid_before_the_answer(
        self, any_shop: Shop, gateway: Simulator
    ) -> None:
        _pay_before_the_answer(any_shop, gateway)

        assert [each.due_at for each in payments(any_shop)] == [None]

    def test_a_failure_before_the_answer_lets_the_payer_try_again(
        self, any_shop: Shop, gateway: Simulator
    ) -> None:
        any_shop.add_order()
        gateway.fault("callback_before_answer", status="failed")

        payment = start(any_shop, order())

        assert [each.status for each in payments(any_shop)] == ["failed", "pending"]
        assert gateway.sessions[payment.session_id].status == "pending"

    @pytest.mark.parametrize("fault", ["drop_after", "truncated"])
    @pytest.mark.always
    def test_a_lost_answer_does_not_lose_the_payment(
        self, any_shop: Shop, gateway: Simulator, fault: str
    ) -> None:
        any_shop.add_order()
        gateway.fault(fault, on="sessions", times=None)

        with pytest.raises(GatewayUnavailableError):
            start(any_shop, order())

        (lost, *_) = gateway.sessions.of_order("A1")
        gateway.pay(lost.id)

        assert any_shop.payment(lost.id).status == "paid"
        assert any_shop.paid_times() == 1

    def test_a_lost_session_that_is_paid_beside_a_new_one_is_paid_once(
        self, any_shop: Shop, gateway: Simulator
    ) -> None:
        any_shop.add_order()
        lost = lose_the_answer(any_shop, gateway)
        new = start(any_shop, order())

        gateway.pay(lost.id)
        gateway.pay(new.session_id)

        assert sorted(each.status for each in payments(any_shop)) == ["paid", "review"]
        assert any_shop.paid_times() == 1

    def test_a_lost_session_whose_handler_failed_is_asked_about_until_the_handler_is_mended(
        self, any_shop: Shop, gateway: Simulator
    ) -> None:
        _pay_a_lost_session_in_vain(any_shop, gateway)
        pass_time(any_shop, gateway, 3600)
        any_shop.handle = None

        _reconcile(any_shop)

        assert [each.status for each in payments(any_shop)] == ["paid"]
        assert any_shop.paid_times() == 1

    def test_a_lost_session_whose_handler_goes_on_failing_does_not_expire(
        self, any_shop: Shop, gateway: Simulator
    ) -> None:
        lost = _pay_a_lost_session_in_vain(any_shop, gateway)
        pass_time(any_shop, gateway, 3600)

        _reconcile(any_shop)

        assert [(each.status, each.session_id) for each in payments(any_shop)] == [
            ("pending", lost.id)
        ]

    def test_a_lost_session_whose_handler_failed_is_pending_for_its_fifteen_minutes(
        self, any_shop: Shop, gateway: Simulator
    ) -> None:
        """Even if Spayon does not know it for a while."""
        any_shop.add_order()
        lost = lose_the_answer(any_shop, gateway)

        def fail_if_paid(status: str, payment: Any) -> None:
            if status == "paid":
                _fail(status, payment)

        any_shop.handle = fail_if_paid
        gateway.pay(lost.id)
        gateway.fault("error", on="status", code=404, times=None)

        pass_time(any_shop, gateway, 14 * 60)
        assert refresh(any_shop, lost.id) == "pending"

        pass_time(any_shop, gateway, 60)
        assert refresh(any_shop, lost.id) == "expired"

    @pytest.mark.always
    def test_an_unknown_session_is_recorded_acknowledged_and_visible(self, any_shop: Shop) -> None:
        assert any_shop.deliver(report("S9", orderId="nobody")) == 200
        assert any_shop.deliver(report("S9", orderId="nobody")) == 200

        assert [(row.session_id, row.verdict) for row in any_shop.callbacks()] == [
            ("S9", "unknown")
        ]
        assert any_shop.handled == []

    @pytest.mark.parametrize("status", ["paid", "failed", "expired"])
    @pytest.mark.always
    def test_an_unknown_report_applies_once_its_payment_is_known(
        self, any_shop: Shop, status: str
    ) -> None:
        any_shop.deliver(report(status=status))
        any_shop.add_pending()

        assert any_shop.deliver(report(status=status)) == 200
        assert any_shop.deliver(report(status=status)) == 200

        assert any_shop.payment().status == status
        assert any_shop.handled == [("A1", status)]
        assert [row.verdict for row in any_shop.callbacks()] == ["applied"]

    def test_a_status_check_applies_what_was_recorded_as_unknown(
        self, any_shop: Shop, gateway: Simulator
    ) -> None:
        any_shop.add_order()
        payment = start(any_shop, order())
        gateway.hold_callbacks()
        gateway.pay(payment.session_id, wait=False)
        body = gateway.deliveries.of(payment.session_id)[0].body

        # As if the report had been here before the row of the payment.
        with any_shop.app.app_context():
            model = any_shop.spayon.Payment
            any_shop.db.session.execute(any_shop.db.update(model).values(session_id="elsewhere"))
            any_shop.db.session.commit()

        any_shop.deliver(body)

        with any_shop.app.app_context():
            any_shop.db.session.execute(
                any_shop.db.update(model).values(session_id=payment.session_id)
            )
            any_shop.db.session.commit()

        assert [row.verdict for row in any_shop.callbacks()] == ["unknown"]
        assert refresh(any_shop, payment.session_id) == "paid"
        assert any_shop.paid_times() == 1
        assert [row.verdict for row in any_shop.callbacks()] == ["applied"]

    def test_an_early_report_without_an_order_applies_when_the_answer_comes(
        self, any_shop: Shop, gateway: Simulator
    ) -> None:
        any_shop.add_order()
        deliver = gateway.deliver

        def fail_first(session_id: str, **_: object) -> None:
            deliver(session_id, status="failed", orderId=None)

        gateway.pay = fail_first  # type: ignore[method-assign]  # fails once
        gateway.fault("callback_before_answer")

        payment = start(any_shop, order())

        assert payments(any_shop)[0].status == "failed"
        assert payments(any_shop)[1].session_id == payment.session_id
        assert any_shop.handled == [("A1", "failed")]

    def test_simultaneous_reports_of_a_lost_session_have_one_effect(
        self, any_shop: Shop, fleet: Fleet
    ) -> None:
        any_shop.add_pending(None)
        shops = [any_shop, fleet.join(any_shop)]

        calls = [lambda s=shop: s.deliver(report()) for shop in shops * 4]

        assert at_once(calls) == [200] * 8

        assert any_shop.payment().status == "paid"
        assert any_shop.paid_times() == 1

    def test_two_sessions_for_one_lost_answer_are_both_recorded(self, any_shop: Shop) -> None:
        any_shop.add_pending(None)

        assert any_shop.deliver(report("S1")) == 200
        assert any_shop.deliver(report("S2")) == 200

        assert [(row.session_id, row.verdict) for row in any_shop.callbacks()] == [
            ("S1", "applied"),
            ("S2", "unknown"),
        ]
        assert any_shop.paid_times() == 1

    def test_a_session_that_spayon_does_not_know_is_pending_for_its_fifteen_minutes(
        self, any_shop: Shop, gateway: Simulator
    ) -> None:
        any_shop.add_pending()

        for minute in (1, 7, 14):
            pass_time(any_shop, gateway, minute * 60 - _age(any_shop))
            assert refresh(any_shop) == "pending", minute

        pass_time(any_shop, gateway, 61)
        assert refresh(any_shop) == "expired"
        assert any_shop.handled == [("A1", "expired")]

    def test_a_session_that_spayon_forgot_and_remembers_is_paid_after_all(
        self, any_shop: Shop, gateway: Simulator
    ) -> None:
        any_shop.add_pending()
        pass_time(any_shop, gateway, 15 * 60)
        assert refresh(any_shop) == "expired"

        any_shop.deliver(report())

        assert any_shop.payment().status == "paid"
        assert any_shop.paid_times() == 1

    def test_a_creation_without_an_answer_expires_with_its_fifteen_minutes(
        self, any_shop: Shop
    ) -> None:
        any_shop.add_order()
        any_shop.add_payment(None, due_at=any_shop.clock())
        any_shop.clock.step(15 * 60)

        with any_shop.app.app_context():
            any_shop.spayon.reconcile()

        assert [each.status for each in payments(any_shop)] == ["expired"]
        assert any_shop.handled == []


def _fail(handler: str, payment: Any) -> None:
    raise RuntimeError("the warehouse is closed")


def _pay_a_lost_session_in_vain(shop: Shop, gateway: Simulator) -> Any:
    """Pay a session whose answer was lost, while the handler fails; return the session."""
    shop.add_order()
    lost = lose_the_answer(shop, gateway)
    shop.handle = _fail
    gateway.pay(lost.id)
    return lost


def _reconcile(shop: Shop) -> None:
    with shop.app.app_context():
        shop.spayon.reconcile()


def _age(shop: Shop) -> float:
    return float((shop.clock() - shop.payment().created_at).total_seconds())


def _pay_before_the_answer(shop: Shop, gateway: Simulator) -> None:
    shop.add_order()
    gateway.fault("callback_before_answer")

    with pytest.raises(OrderNotPayableError, match="paid already"):
        start(shop, order())
