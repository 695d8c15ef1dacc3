"""Promise 6: reports about sessions that we do not know, or do not know yet."""

import pytest

from spayon_flask import GatewayUnavailableError, OrderNotPayableError
from spayon_flask.simulator import Simulator
from tests.promises.helpers import (
    at_once,
    fail,
    lose_the_answer,
    order,
    pass_time,
    payments,
    reconcile,
    refresh,
    start,
)
from tests.reports import report
from tests.shop import Shop


def test_a_callback_before_the_answer_to_the_creation_counts(
    any_shop: Shop, gateway: Simulator
) -> None:
    any_shop.add_order()
    gateway.fault("callback_before_answer")

    with pytest.raises(OrderNotPayableError, match="paid already"):
        start(any_shop, order())

    # Nobody asks about it any more.
    assert [(each.status, each.due_at) for each in payments(any_shop)] == [("paid", None)]
    assert any_shop.paid_times() == 1


def test_a_failure_before_the_answer_lets_the_payer_try_again(
    any_shop: Shop, gateway: Simulator
) -> None:
    any_shop.add_order()
    gateway.fault("callback_before_answer", status="failed")

    payment = start(any_shop, order())

    assert [each.status for each in payments(any_shop)] == ["failed", "pending"]
    assert gateway.sessions[payment.session_id].status == "pending"


@pytest.mark.parametrize("fault", ["drop_after", "truncated"])
@pytest.mark.always
def test_a_lost_answer_does_not_lose_the_payment(
    any_shop: Shop, gateway: Simulator, fault: str
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
    any_shop: Shop, gateway: Simulator
) -> None:
    lost = lose_the_answer(any_shop, gateway)
    new = start(any_shop, order())

    gateway.pay(lost.id)
    gateway.pay(new.session_id)

    assert any_shop.payment(lost.id).status == "paid"
    assert any_shop.payment(new.session_id).status == "review"
    assert any_shop.paid_times() == 1


def test_a_lost_session_whose_handler_failed_is_asked_about_until_the_handler_is_mended(
    any_shop: Shop, gateway: Simulator
) -> None:
    lost = lose_the_answer(any_shop, gateway)
    any_shop.handle = fail
    gateway.pay(lost.id)

    for handle, status in ((fail, "pending"), (None, "paid")):
        any_shop.handle = handle
        pass_time(any_shop, gateway, 3600)
        reconcile(any_shop)
        (payment,) = payments(any_shop)
        assert (payment.status, payment.session_id) == (status, lost.id)

    assert any_shop.paid_times() == 1


def test_a_lost_session_whose_handler_failed_is_pending_for_its_fifteen_minutes(
    any_shop: Shop, gateway: Simulator
) -> None:
    """Even if Spayon does not know it for a while."""
    lost = lose_the_answer(any_shop, gateway)
    any_shop.handle = lambda status, _: fail() if status == "paid" else None
    gateway.pay(lost.id)
    gateway.fault("error", on="status", code=404, times=None)

    pass_time(any_shop, gateway, 14 * 60)
    assert refresh(any_shop, lost.id) == "pending"

    pass_time(any_shop, gateway, 60)
    assert refresh(any_shop, lost.id) == "expired"


@pytest.mark.always
def test_an_unknown_session_is_recorded_acknowledged_and_visible(any_shop: Shop) -> None:
    assert any_shop.deliver(report("S9", orderId="nobody")) == 200
    assert any_shop.deliver(report("S9", orderId="nobody")) == 200

    assert [(row.session_id, row.verdict) for row in any_shop.callbacks()] == [("S9", "unknown")]
    assert any_shop.handled == []


@pytest.mark.parametrize("status", ["paid", "failed", "expired"])
@pytest.mark.always
def test_an_unknown_report_applies_once_its_payment_is_known(any_shop: Shop, status: str) -> None:
    any_shop.deliver(report(status=status))
    any_shop.add_pending()

    assert any_shop.deliver(report(status=status)) == 200
    assert any_shop.deliver(report(status=status)) == 200

    assert any_shop.payment().status == status
    assert any_shop.handled == [("A1", status)]
    assert [row.verdict for row in any_shop.callbacks()] == ["applied"]


def test_a_status_check_applies_what_was_recorded_as_unknown(
    asking_shop: Shop,
) -> None:
    asking_shop.deliver(report())
    assert [row.verdict for row in asking_shop.callbacks()] == ["unknown"]
    asking_shop.add_pending()

    assert refresh(asking_shop) == "paid"
    assert asking_shop.paid_times() == 1
    assert [row.verdict for row in asking_shop.callbacks()] == ["applied"]


def test_an_early_report_without_an_order_applies_when_the_answer_comes(
    any_shop: Shop, gateway: Simulator
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


def test_simultaneous_reports_of_a_lost_session_have_one_effect(any_shop: Shop, twin: Shop) -> None:
    any_shop.add_pending(None)
    calls = [lambda s=shop: s.deliver(report()) for shop in [any_shop, twin] * 4]

    assert at_once(calls) == [200] * 8

    assert any_shop.payment().status == "paid"
    assert any_shop.paid_times() == 1


def test_two_sessions_for_one_lost_answer_are_both_recorded(any_shop: Shop) -> None:
    any_shop.add_pending(None)

    assert any_shop.deliver(report("S1")) == 200
    assert any_shop.deliver(report("S2")) == 200

    rows = [(row.session_id, row.verdict) for row in any_shop.callbacks()]
    assert rows == [("S1", "applied"), ("S2", "unknown")]
    assert any_shop.paid_times() == 1


def test_a_session_that_spayon_does_not_know_is_pending_for_its_fifteen_minutes(
    any_shop: Shop, gateway: Simulator
) -> None:
    any_shop.add_pending()

    for minutes, status in ((1, "pending"), (6, "pending"), (7, "pending"), (1, "expired")):
        pass_time(any_shop, gateway, minutes * 60)
        assert refresh(any_shop) == status

    # Spayon remembers it: it is paid after all.
    any_shop.deliver(report())
    assert any_shop.payment().status == "paid"
    assert any_shop.handled == [("A1", "expired"), ("A1", "paid")]
