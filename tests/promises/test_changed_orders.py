"""Promise 5 for an order that changes: nobody gets the goods at a price that holds no longer."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from typing import Any

import pytest

from spayon_flask import Order
from spayon_flask.errors import StillCreatingError
from spayon_flask.simulator import Simulator
from tests.promises.helpers import (
    Fleet,
    at_once,
    change_order,
    fast_forward,
    just_before,
    lose_the_answer,
    order,
    pass_time,
    payments,
    post_checkout,
    start,
    wait_by,
)
from tests.reports import report
from tests.shop import Shop


def _standing(shop: Shop) -> list[tuple[str, str | None, int]]:
    """Return status, reason and price of each payment."""
    return [(each.status, each.review, int(each.price)) for each in payments(shop)]


def each_load_writes(shop: Shop, prices: Iterator[int] | None = None) -> None:
    """Let the order loader write each time, and ask for another of *prices* if there are any."""

    @shop.spayon.order_loader
    def load(order_id: str) -> Order | None:
        row = shop.db.session.get_one(shop.orders, order_id)
        row.currency = "USD" if row.currency == "AMD" else "AMD"
        shop.db.session.flush()
        price = row.price if prices is None else str(next(prices))
        return order(order_id, price)


@pytest.fixture
def loading_shop(any_shop: Shop, gateway: Simulator, fleet: Fleet) -> Shop:
    """A shop whose order loader a test may replace."""
    any_shop.add_order()
    return fleet.join(any_shop)


# An order loader may write, and it may say something else each time.


def test_what_a_loader_writes_stops_no_checkout(loading_shop: Shop, gateway: Simulator) -> None:
    each_load_writes(loading_shop)
    assert post_checkout(loading_shop).status_code == 303

    change_order(loading_shop, price="50000")
    assert post_checkout(loading_shop).status_code == 303

    pass_time(loading_shop, gateway, 15 * 60 + 1)
    assert post_checkout(loading_shop).status_code == 303


def test_a_loader_that_writes_and_a_double_click_make_one_session(
    loading_shop: Shop, gateway: Simulator, fleet: Fleet
) -> None:
    shops = [loading_shop, fleet.join(loading_shop)]

    for shop in shops:
        each_load_writes(shop)

    posts = [lambda s=shop: post_checkout(s) for shop in shops]

    assert len({answer.location for answer in at_once(posts)}) == 1
    assert gateway.sessions.created == 1


def test_a_price_that_differs_at_each_load_and_a_double_click_end_at_one_session(
    loading_shop: Shop, gateway: Simulator, fleet: Fleet
) -> None:
    shops = [loading_shop, fleet.join(loading_shop), fleet.join(loading_shop)]
    prices = count(1000)

    for shop in shops:
        each_load_writes(shop, prices)

    posts = [lambda s=shop: post_checkout(s) for shop in shops]

    assert [answer.status_code for answer in at_once(posts)] == [303] * 3
    held = [each for each in payments(loading_shop) if each.held_order_id is not None]
    assert len(held) == 1


# However a payment session was let go, it does not buy what the order is by now.


def _let_one_lapse(shop: Shop, _: Simulator) -> str:
    """Let it lapse for the shop only: the gateway takes the money, a moment too late."""
    shop.add_order()
    lapsed = start(shop, order())
    shop.clock.step(15 * 60 + 1)
    start(shop, order())
    return str(lapsed.session_id)


def _let_one_end(shop: Shop, _: Simulator, ending: str) -> str:
    shop.add_order()
    ended = start(shop, order())
    shop.deliver(report(ended.session_id, ending))
    return str(ended.session_id)


def _lose_the_answer(shop: Shop, gateway: Simulator) -> str:
    return str(lose_the_answer(shop, gateway).id)


LET_GO = {
    "lapsed": _let_one_lapse,
    "failed": partial(_let_one_end, ending="failed"),
    "expired": partial(_let_one_end, ending="expired"),
    "answer lost": _lose_the_answer,
}


@pytest.mark.parametrize("let_one_go", LET_GO.values(), ids=LET_GO)
def test_a_session_that_was_let_go_before_the_change_does_not_buy_the_changed_order(
    any_shop: Shop, gateway: Simulator, let_one_go: Callable[[Shop, Simulator], str]
) -> None:
    session_id = let_one_go(any_shop, gateway)
    change_order(any_shop, price="50000")
    start(any_shop, order(price="50000"))

    gateway.pay(session_id)

    assert ("pending", None, 50000) in _standing(any_shop)
    let_go = any_shop.payment(session_id)
    assert (let_go.status, let_go.review, let_go.price) == ("review", "superseded", 1000)
    assert any_shop.paid_times() == 0


def test_a_request_that_waited_goes_on_with_the_order_as_it_is_by_then(
    any_shop: Shop, gateway: Simulator
) -> None:
    any_shop.add_pending(None)

    def wait(_: float) -> None:
        change_order(any_shop, price="50000")
        any_shop.clock.step(31)

    wait_by(any_shop, wait)
    payment = start(any_shop, order())

    assert (payment.status, int(payment.price)) == ("pending", 50000)
    gateway.pay(payment.session_id)
    assert any_shop.paid_times() == 1


@pytest.mark.always
def test_a_request_that_waited_does_not_displace_a_newer_session(
    any_shop: Shop, gateway: Simulator, twin: Shop
) -> None:
    any_shop.add_pending(None)
    any_shop.clock.step(29)
    newer: list[Any] = []

    def wait(_: float) -> None:
        if not newer:
            change_order(any_shop, price="50000")
            any_shop.clock.step(2)
            newer.append(start(twin, order(price="50000")))

    wait_by(any_shop, wait)

    assert start(any_shop, order()).session_id == newer[0].session_id
    assert gateway.sessions.created == 1


@pytest.mark.parametrize(
    ("check_out", "ahead"),
    [
        (lambda shop: start(shop, order()).session_url, 0.01),
        # The page loads its order by itself. The clocks of the two hosts need not tell.
        (lambda shop: post_checkout(shop).location, 0),
    ],
    ids=["call", "page"],
)
def test_a_request_that_was_slow_does_not_displace_a_newer_session(
    any_shop: Shop,
    gateway: Simulator,
    fleet: Fleet,
    check_out: Callable[[Shop], str],
    ahead: float,
) -> None:
    any_shop.add_order()
    twin = fleet.join(any_shop)
    newer: list[Any] = []

    def overtake() -> None:
        change_order(any_shop, price="50000")
        twin.clock.now = any_shop.clock()
        twin.clock.step(ahead)
        newer.append(start(twin, order(price="50000")))

    # The slow one has loaded its order, and has not looked yet if there is a payment of it.
    with just_before(any_shop, "WHERE spayon_payment.order_id =", overtake):
        session_url = check_out(any_shop)

    (payment,) = newer
    assert (session_url, gateway.sessions.created) == (payment.session_url, 1)
    assert not any_shop.payment(payment.session_id).superseded
    gateway.pay(payment.session_id)
    assert any_shop.paid_times() == 1


def test_a_change_that_comes_while_spayon_is_asked_is_not_sold_at_the_old_price(
    any_shop: Shop, gateway: Simulator, twin: Shop
) -> None:
    any_shop.add_order()

    fast_forward(twin)

    def change() -> None:
        change_order(any_shop, price="50000")

        # The twin waits for the first request, which has not ended.
        with pytest.raises(StillCreatingError):
            start(twin, order(price="50000"))

    # Spayon has answered by then.
    with just_before(any_shop, "UPDATE spayon_payment SET session_id", change):
        payment = start(any_shop, order())

    assert int(payment.price) == 50000
    old, new = gateway.sessions.of_order("A1")
    gateway.pay(old.id)
    assert _standing(any_shop)[0] == ("review", "superseded", 1000)
    assert new.id == payment.session_id


def test_an_order_that_changes_to_and_fro_has_one_session_that_can_be_paid(
    any_shop: Shop, gateway: Simulator
) -> None:
    any_shop.add_order()
    sessions = []

    for price in ("1000", "50000", "1000"):
        change_order(any_shop, price=price)
        sessions.append(start(any_shop, order(price=price)))

    for payment in reversed(sessions):
        gateway.pay(payment.session_id)

    assert [each[0] for each in _standing(any_shop)] == ["review", "review", "paid"]
    assert any_shop.paid_times() == 1


def test_checkouts_of_a_changing_order_at_once_end_with_one_session_at_the_last_price(
    any_shop: Shop, gateway: Simulator, fleet: Fleet
) -> None:
    any_shop.add_order()
    shops = [any_shop, fleet.join(any_shop), fleet.join(any_shop)]

    calls: list[Callable[[], object]] = [
        *(lambda s=shop: post_checkout(s).status_code for shop in shops),
        lambda: change_order(any_shop, price="50000"),
    ]

    assert at_once(calls) == [303, 303, 303, None]
    last = start(any_shop, order(price="50000"))
    held = [each for each in payments(any_shop) if each.held_order_id is not None]
    assert [(each.session_id, int(each.price)) for each in held] == [(last.session_id, 50000)]

    for session in gateway.sessions.of_order("A1"):
        if session.id != last.session_id:
            gateway.pay(session.id)

    assert any_shop.paid_times() == 0
    pass_time(any_shop, gateway, 1)
    gateway.pay(last.session_id)
    assert {each.status for each in payments(any_shop)} <= {"paid", "review"}
