"""A gateway that takes each order id only once: an order can be paid again all the same."""

from typing import Any

import pytest

from spayon_flask.domain.orders import attempt_id
from spayon_flask.errors import GatewayUnavailableError, RequestRefusedError
from spayon_flask.simulator import PaymentSession, Simulator
from tests.promises.helpers import order, pass_time, payments, start
from tests.reports import report
from tests.shop import Shop


@pytest.fixture(params=["refused", "the same session"])
def gateway(gateway: Simulator, any_shop: Shop, request: pytest.FixtureRequest) -> Simulator:
    gateway.shape.change(used_order=request.param)
    any_shop.add_order()
    return gateway


def newest(gateway: Simulator) -> PaymentSession:
    found: list[PaymentSession] = [*gateway.sessions]
    return found[-1]


def expired(shop: Shop, gateway: Simulator) -> None:
    """Let a first attempt to pay the order expire."""
    first = start(shop, order())
    pass_time(shop, gateway, 16 * 60)
    assert shop.payment(first.session_id).status == "expired"


def test_each_attempt_but_the_first_sends_an_id_of_its_own_and_can_be_paid(
    any_shop: Shop, gateway: Simulator
) -> None:
    expired(any_shop, gateway)
    assert newest(gateway).order_id == "A1"

    second = start(any_shop, order())
    assert newest(gateway).id == second.session_id
    assert newest(gateway).order_id == attempt_id("A1", second.reference)

    gateway.pay(second.session_id)
    assert any_shop.payment(second.session_id).status == "paid"
    assert any_shop.paid_times() == 1


def test_an_order_whose_card_was_declined_is_paid(any_shop: Shop, gateway: Simulator) -> None:
    declined = start(any_shop, order())
    gateway.decline(declined.session_id)
    again = start(any_shop, order())
    gateway.pay(again.session_id)

    assert any_shop.payment(declined.session_id).status == "failed"
    assert any_shop.payment(again.session_id).status == "paid"
    assert any_shop.paid_times() == 1


def test_an_order_that_became_dearer_is_paid_at_its_new_price(
    any_shop: Shop, gateway: Simulator
) -> None:
    first = start(any_shop, order())
    second = start(any_shop, order(price="2000"))
    gateway.pay(second.session_id)
    gateway.pay(first.session_id)

    assert any_shop.payment(second.session_id).status == "paid"
    assert any_shop.payment(first.session_id).review == "superseded"


def lose_the_answer(shop: Shop, gateway: Simulator) -> PaymentSession:
    """Create a session for a second attempt; the answer to that is lost."""
    # Asked in vain with the order's own id before.
    fault = gateway.fault("drop_after", on="sessions", times=None, skip=1)

    with pytest.raises(GatewayUnavailableError):
        start(shop, order())

    gateway.faults.clear(fault.number)
    return newest(gateway)


@pytest.mark.parametrize("status", ["paid", "failed", "expired"])
def test_a_report_whose_answer_was_lost_is_that_of_the_order(
    any_shop: Shop, gateway: Simulator, status: str
) -> None:
    expired(any_shop, gateway)
    lost = lose_the_answer(any_shop, gateway)
    assert (lost.order_id or "").startswith("A1_")
    end = {"paid": gateway.pay, "failed": gateway.decline, "expired": gateway.expire}[status]
    end(lost.id)

    assert any_shop.payment(lost.id).status == status
    assert any_shop.paid_times() == (status == "paid")


def test_after_a_lost_answer_the_payer_tries_again_and_pays(
    any_shop: Shop, gateway: Simulator
) -> None:
    expired(any_shop, gateway)
    lost = lose_the_answer(any_shop, gateway)
    gateway.pay(start(any_shop, order()).session_id)
    gateway.expire(lost.id)

    assert any_shop.payment(lost.id).status == "expired"
    assert any_shop.paid_times() == 1


def test_a_second_answer_that_was_lost_loses_no_money(any_shop: Shop, gateway: Simulator) -> None:
    """One row is kept for both. A payer never had the address of either."""
    expired(any_shop, gateway)
    lose_the_answer(any_shop, gateway)
    second = lose_the_answer(any_shop, gateway)
    gateway.pay(second.id)

    assert any_shop.payment(second.id).review == "order_differs"
    assert any_shop.paid_times() == 0


@pytest.mark.parametrize("status", ["failed", "expired"])
def test_the_end_of_an_attempt_that_left_no_row_ends_nothing(
    any_shop: Shop, gateway: Simulator, status: str
) -> None:
    expired(any_shop, gateway)
    lost = lose_the_answer(any_shop, gateway)
    before = [each.status for each in payments(any_shop)]

    assert any_shop.deliver(report("S9", status, orderId="A1_R0000000")) == 200
    assert [each.status for each in payments(any_shop)] == before

    gateway.pay(lost.id)
    assert any_shop.paid_times() == 1


def test_a_session_that_spayon_told_of_long_ago_is_not_a_new_one(
    any_shop: Shop, gateway: Simulator
) -> None:
    """Its payment was removed since; with the order's number Spayon gives it out again."""
    old = start(any_shop, order()).session_id
    gateway.pay(old)

    with any_shop.app.app_context():
        any_shop.db.session.execute(any_shop.db.delete(any_shop.spayon.Payment))
        any_shop.db.session.commit()

    pass_time(any_shop, gateway, 365 * 24 * 3600)

    if gateway.shape.used_order == "refused":
        # All that is left to say is that Spayon refuses the order.
        with pytest.raises(RequestRefusedError):
            start(any_shop, order())

        return

    payment = start(any_shop, order())

    assert (payment.status, payment.session_id != old) == ("pending", True)
    gateway.pay(payment.session_id)
    assert any_shop.payment(payment.session_id).status == "paid"


@pytest.mark.parametrize(
    "told", ["A2", "A1_R0000000", "A1_", "a1", "A1_{mark}_{mark}", "A2_{mark}", "A1_{other}"]
)
def test_the_money_guard_knows_the_ids_of_other_attempts_and_orders(
    any_shop: Shop, gateway: Simulator, told: str
) -> None:
    expired(any_shop, gateway)
    second = start(any_shop, order())
    first = next(each for each in payments(any_shop) if each.id != second.id)
    marks = {
        name: attempt_id("A1", each.reference).removeprefix("A1_")
        for name, each in (("mark", second), ("other", first))
    }
    body = report(second.session_id, orderId=told.format(**marks))

    assert any_shop.deliver(body) == 200
    assert any_shop.payment(second.session_id).review == "order_differs"
    assert any_shop.paid_times() == 0


@pytest.mark.always
def test_an_order_that_looks_like_an_attempt_is_itself(any_shop: Shop, gateway: Simulator) -> None:
    any_shop.add_order("A1_R3F9A1C")
    fault = gateway.fault("drop_after", on="sessions", times=None)

    for order_id in ("A1", "A1_R3F9A1C", "A1"):
        with pytest.raises(GatewayUnavailableError):
            start(any_shop, order(order_id=order_id))

    gateway.faults.clear(fault.number)
    (lost,) = gateway.sessions.of_order("A1_R3F9A1C")
    gateway.pay(lost.id)

    assert any_shop.payment(lost.id).order_id == "A1_R3F9A1C"
    assert any_shop.payment(lost.id).status == "paid"
    assert (any_shop.paid_times(), any_shop.paid_times("A1_R3F9A1C")) == (0, 1)


def test_people_find_the_order_by_the_id_in_spayon_s_panel(
    any_shop: Shop, gateway: Simulator
) -> None:
    expired(any_shop, gateway)
    shown = attempt_id("A1", start(any_shop, order()).reference)

    def run(*arguments: str) -> Any:
        result = any_shop.app.test_cli_runner().invoke(args=["spayon", *arguments, "--json"])
        assert result.exit_code == 0, result.output
        return result.output

    assert '"A1"' in run("show", shown)
    assert '"A1"' in run("payments", "--search", shown)
    assert '"A1"' not in run("payments", "--search", "A2_R3F9A1C")
