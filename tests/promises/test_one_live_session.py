"""Promise 5: one payment session that can be paid for each order."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from spayon_flask import GatewayUnavailableError, OrderNotPayableError
from spayon_flask.errors import StillCreatingError
from spayon_flask.simulator import Simulator
from tests.promises.helpers import (
    Fleet,
    at_once,
    fast_forward,
    order,
    paid_in_silence,
    pass_time,
    payments,
    post_checkout,
    refresh,
    start,
)
from tests.reports import report
from tests.shop import Shop


@pytest.mark.always
def test_twenty_simultaneous_checkouts_make_one_session(
    any_shop: Shop, gateway: Simulator, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However slow this machine is.
    monkeypatch.setattr("spayon_flask.checkout.WAIT_SECONDS", 60.0)
    any_shop.add_order()
    shops = [any_shop, fleet.join(any_shop), fleet.join(any_shop), fleet.join(any_shop)]
    calls = [lambda s=shop: start(s, order()).session_url for shop in shops * 5]

    assert len(set(at_once(calls))) == 1

    assert gateway.sessions.created == 1
    assert len(payments(any_shop)) == 1


def test_a_second_tab_gets_the_same_session(
    any_shop: Shop, gateway: Simulator, payment: Any
) -> None:
    assert post_checkout(any_shop).location == payment.session_url
    # Nor does a status check give it up.
    assert refresh(any_shop, payment.session_id) == "pending"
    assert post_checkout(any_shop).location == payment.session_url
    assert gateway.sessions.created == 1


@pytest.mark.parametrize("changes", [{"price": "900"}, {"currency": "USD"}], ids=str)
def test_a_changed_order_gets_a_new_session(
    any_shop: Shop, gateway: Simulator, payment: Any, changes: dict[str, Any]
) -> None:
    assert start(any_shop, order(**changes)).session_id != payment.session_id

    gateway.pay(payment.session_id)
    doubted = any_shop.payment(payment.session_id)
    assert (doubted.status, doubted.review) == ("review", "superseded")
    assert any_shop.paid_times() == 0


def test_a_product_that_is_named_in_another_language_keeps_its_session(
    any_shop: Shop, gateway: Simulator, payment: Any
) -> None:
    assert start(any_shop, order(product_name="Թեյ")).session_id == payment.session_id

    gateway.pay(payment.session_id)
    assert any_shop.paid_times() == 1


def test_a_closed_order_cannot_be_paid_and_counts_if_it_is_paid_all_the_same(
    any_shop: Shop, gateway: Simulator, payment: Any
) -> None:
    with pytest.raises(OrderNotPayableError, match="closed") as caught:
        start(any_shop, order(closed="Paid in cash"))

    assert caught.value.payment is None
    assert gateway.sessions.created == 1
    gateway.pay(payment.session_id)
    assert any_shop.paid_times() == 1

    with pytest.raises(OrderNotPayableError, match="paid already") as caught:
        start(any_shop, order(closed="Paid in cash"))

    assert caught.value.payment.session_id == payment.session_id


def test_a_paid_order_cannot_be_paid_again(
    any_shop: Shop, gateway: Simulator, payment: Any
) -> None:
    gateway.pay(payment.session_id)

    with pytest.raises(OrderNotPayableError, match="paid already"):
        start(any_shop, order())

    assert gateway.sessions.created == 1


@pytest.fixture
def second(any_shop: Shop, payment: Any) -> Any:
    """Another payment of the order, whose first session has lapsed for the shop."""
    any_shop.clock.step(15 * 60 + 1)
    return start(any_shop, order())


def test_a_second_payment_of_an_order_goes_to_review(
    any_shop: Shop, gateway: Simulator, payment: Any, second: Any
) -> None:
    gateway.pay(payment.session_id)
    gateway.pay(second.session_id)

    statuses = [(each.status, each.review) for each in payments(any_shop)]
    assert statuses == [("paid", None), ("review", "second_payment")]
    assert any_shop.paid_times() == 1


@pytest.mark.always
def test_two_payments_of_an_order_at_once_make_one_paid(
    any_shop: Shop, payment: Any, second: Any, twin: Shop
) -> None:
    calls = [
        lambda s=shop, i=each.session_id: s.deliver(report(i))
        for each in (payment, second)
        for shop in (any_shop, twin)
    ]

    assert at_once(calls) == [200] * 4

    assert sorted(each.status for each in payments(any_shop)) == ["paid", "review"]
    assert any_shop.paid_times() == 1


def test_a_checkout_and_a_late_paid_at_once_leave_nothing_to_pay_twice(
    any_shop: Shop, payment: Any, twin: Shop
) -> None:
    any_shop.deliver(report(payment.session_id, "expired"))
    calls: list[Callable[[], int]] = [
        lambda: any_shop.deliver(report(payment.session_id)),
        lambda: post_checkout(twin).status_code,
    ]

    assert at_once(calls) == [200, 303]
    assert any_shop.payment(payment.session_id).status == "paid"
    held = [each for each in payments(any_shop) if each.held_order_id is not None]
    assert [each.status for each in held] == ["paid"]

    with pytest.raises(OrderNotPayableError):
        start(any_shop, order())


@pytest.mark.always
def test_a_key_in_the_database_lets_no_order_be_held_twice(any_shop: Shop) -> None:
    any_shop.add_payment("S1", status="paid")

    with pytest.raises(IntegrityError):
        any_shop.add_payment("S2", status="paid")


@pytest.mark.always
def test_keys_in_the_database_make_a_session_and_a_report_unique(any_shop: Shop) -> None:
    any_shop.add_payment("S1")

    with pytest.raises(IntegrityError):
        any_shop.add_payment("S1", "A2", reference="another")

    any_shop.deliver(report("S9"))
    columns = any_shop.spayon.Callback.__table__.c  # type: ignore[attr-defined]  # mapped
    kept = [column for column in columns if not column.primary_key]

    with any_shop.app.app_context():
        again = insert(any_shop.spayon.Callback).from_select(kept, select(*kept))

        with pytest.raises(IntegrityError):
            any_shop.db.session.execute(again)


def test_a_creation_that_never_finished_blocks_its_order_for_thirty_seconds(
    any_shop: Shop, gateway: Simulator
) -> None:
    any_shop.add_pending(None)
    fast_forward(any_shop)
    began = any_shop.clock()

    payment = None
    # Each time the payer waits for two seconds, and gets a page that goes on by itself.
    for _ in range(20):
        with suppress(StillCreatingError):
            payment = start(any_shop, order())
            break

    assert payment is not None
    assert payment.session_id in gateway.sessions
    assert timedelta(seconds=30) <= any_shop.clock() - began <= timedelta(seconds=32)


def test_a_creation_by_a_host_whose_clock_is_ahead_blocks_its_order_no_longer(
    any_shop: Shop, gateway: Simulator
) -> None:
    any_shop.add_pending(None, created_at=any_shop.clock() + timedelta(minutes=10))
    fast_forward(any_shop)

    with pytest.raises(StillCreatingError):
        start(any_shop, order())

    any_shop.clock.step(30)
    assert start(any_shop, order()).session_id in gateway.sessions


def test_a_refused_creation_blocks_nobody(any_shop: Shop, gateway: Simulator) -> None:
    any_shop.add_order()
    gateway.fault("error", on="sessions", code=500, times=None)

    with pytest.raises(GatewayUnavailableError):
        start(any_shop, order())

    gateway.faults.clear()
    assert start(any_shop, order()).session_url


@pytest.mark.parametrize("ending", ["lapsed", "failed", "expired"])
def test_spayon_is_asked_once_more_about_an_attempt_that_is_over(
    any_shop: Shop, gateway: Simulator, payment: Any, ending: str
) -> None:
    # The payer has paid all the same, and the callback of that is lost.
    paid_in_silence(gateway, payment.session_id)

    if ending == "lapsed":
        pass_time(any_shop, gateway, 16 * 60)

    else:
        any_shop.deliver(report(payment.session_id, ending))

    with pytest.raises(OrderNotPayableError, match="paid already"):
        start(any_shop, order())

    assert any_shop.paid_times() == 1
    assert gateway.sessions.created == 1


def test_a_payment_session_of_another_gateway_is_not_shared(
    any_shop: Shop, gateway: Simulator
) -> None:
    any_shop.add_pending("live", gateway="api.spayon.io")

    payment = start(any_shop, order())

    assert payment.gateway == any_shop.gateway
    assert (payment.session_id, gateway.requests.count("GET")) != ("live", 1)
    # Only let go of: what was paid there still counts.
    assert not any_shop.payment("live").superseded


@pytest.mark.parametrize("status", ["paid", "review"])
def test_an_order_that_was_paid_at_another_gateway_stays_paid(
    any_shop: Shop, gateway: Simulator, status: str
) -> None:
    any_shop.add_pending("live", gateway="api.spayon.io", status=status)

    with pytest.raises(OrderNotPayableError):
        start(any_shop, order())

    assert gateway.sessions.created == 0
