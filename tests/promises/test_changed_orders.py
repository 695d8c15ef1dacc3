"""Promise 5 for an order that changes: nobody gets the goods at a price that holds no longer."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from spayon_flask import Order
from spayon_flask.simulator import Simulator
from tests.promises.helpers import (
    Fleet,
    at_once,
    just_before,
    lose_the_answer,
    order,
    pass_time,
    payments,
    start,
)
from tests.reports import report
from tests.shop import Shop


def change_price(shop: Shop, price: str, order_id: str = "A1") -> None:
    """Let the shop ask for another price from now on."""
    with shop.app.app_context():
        shop.db.session.get_one(shop.orders, order_id).price = price
        shop.db.session.commit()


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


class TestLoaders:
    """An order loader may write, and it may say something else each time."""

    def test_what_a_loader_writes_stops_no_checkout(
        self, loading_shop: Shop, gateway: Simulator
    ) -> None:
        each_load_writes(loading_shop)
        client = loading_shop.app.test_client()
        answers = [client.post("/pay/checkout/A1").status_code]
        change_price(loading_shop, "50000")
        answers.append(client.post("/pay/checkout/A1").status_code)
        pass_time(loading_shop, gateway, 15 * 60 + 1)
        answers.append(client.post("/pay/checkout/A1").status_code)

        assert answers == [303] * 3

    def test_a_loader_that_writes_and_a_double_click_make_one_session(
        self, loading_shop: Shop, gateway: Simulator, fleet: Fleet
    ) -> None:
        shops = [loading_shop, fleet.join(loading_shop)]

        for shop in shops:
            each_load_writes(shop)

        posts = [lambda s=shop: s.app.test_client().post("/pay/checkout/A1") for shop in shops]

        assert len({answer.location for answer in at_once(posts)}) == 1
        assert gateway.sessions.created == 1

    def test_a_price_that_differs_at_each_load_and_a_double_click_end_at_one_session(
        self, loading_shop: Shop, gateway: Simulator, fleet: Fleet
    ) -> None:
        shops = [loading_shop, fleet.join(loading_shop), fleet.join(loading_shop)]
        prices = count(1000)

        for shop in shops:
            each_load_writes(shop, prices)

        posts = [lambda s=shop: s.app.test_client().post("/pay/checkout/A1") for shop in shops]

        assert [answer.status_code for answer in at_once(posts)] == [303] * 3
        held = [each for each in payments(loading_shop) if each.held_order_id is not None]
        assert len(held) == 1


class TestChangedOrders:
    """However a payment session was let go, it does not buy what the order is by now."""

    def test_a_session_that_lapsed_before_the_change_does_not_buy_the_changed_order(
        self, any_shop: Shop, gateway: Simulator
    ) -> None:
        any_shop.add_order()
        lapsed = start(any_shop, order())
        # For the shop only: the gateway takes the money all the same, a moment too late.
        any_shop.clock.step(15 * 60 + 1)
        start(any_shop, order())
        change_price(any_shop, "50000")
        start(any_shop, order(price="50000"))

        gateway.pay(lapsed.session_id)

        assert _standing(any_shop)[0] == ("review", "superseded", 1000)
        assert any_shop.paid_times() == 0

    @pytest.mark.parametrize("ending", ["failed", "expired"])
    def test_a_session_that_ended_before_the_change_does_not_buy_the_changed_order(
        self, any_shop: Shop, gateway: Simulator, ending: str
    ) -> None:
        any_shop.add_order()
        ended = start(any_shop, order())
        any_shop.deliver(report(ended.session_id, ending))
        change_price(any_shop, "50000")
        start(any_shop, order(price="50000"))

        gateway.pay(ended.session_id)

        assert _standing(any_shop)[0] == ("review", "superseded", 1000)
        assert any_shop.paid_times() == 0

    def test_a_session_whose_answer_was_lost_does_not_buy_the_changed_order(
        self, any_shop: Shop, gateway: Simulator
    ) -> None:
        any_shop.add_order()
        lost = lose_the_answer(any_shop, gateway)
        change_price(any_shop, "50000")
        start(any_shop, order(price="50000"))

        gateway.pay(lost.id)

        assert sorted(_standing(any_shop)) == [
            ("pending", None, 50000),
            ("review", "superseded", 1000),
        ]
        assert any_shop.paid_times() == 0

    def test_a_session_whose_answer_was_lost_buys_an_order_that_is_still_the_same(
        self, any_shop: Shop, gateway: Simulator
    ) -> None:
        any_shop.add_order()
        lost = lose_the_answer(any_shop, gateway)
        start(any_shop, order())

        gateway.pay(lost.id)

        assert any_shop.paid_times() == 1

    def test_a_session_of_the_present_order_is_not_reviewed_for_an_older_change(
        self, any_shop: Shop, gateway: Simulator
    ) -> None:
        any_shop.add_order()
        start(any_shop, order())
        change_price(any_shop, "50000")
        present = start(any_shop, order(price="50000"))

        gateway.pay(present.session_id)

        assert any_shop.paid_times() == 1

    def test_a_request_that_waited_goes_on_with_the_order_as_it_is_by_then(
        self, any_shop: Shop, gateway: Simulator
    ) -> None:
        any_shop.add_pending(None)
        state = any_shop.app.extensions["spayon"]["spayon"]

        def wait(_: float) -> None:
            change_price(any_shop, "50000")
            any_shop.clock.step(31)

        state.checkout.sleep = wait
        payment = start(any_shop, order())

        assert (payment.status, int(payment.price)) == ("pending", 50000)
        gateway.pay(payment.session_id)
        assert any_shop.paid_times() == 1

    @pytest.mark.always
    def test_a_request_that_waited_does_not_displace_a_newer_session(
        self, any_shop: Shop, gateway: Simulator, fleet: Fleet
    ) -> None:
        any_shop.add_pending(None)
        any_shop.clock.step(29)
        twin = fleet.join(any_shop)
        newer: list[Any] = []

        def wait(_: float) -> None:
            if not newer:
                change_price(any_shop, "50000")
                any_shop.clock.step(2)
                twin.clock.now = any_shop.clock()
                newer.append(start(twin, order(price="50000")))

        any_shop.app.extensions["spayon"]["spayon"].checkout.sleep = wait

        assert start(any_shop, order()).session_id == newer[0].session_id
        assert gateway.sessions.created == 1

    def test_a_request_that_was_slow_does_not_displace_a_newer_session(
        self, any_shop: Shop, gateway: Simulator, fleet: Fleet
    ) -> None:
        any_shop.add_order()
        twin = fleet.join(any_shop)
        newer: list[Any] = []

        def overtake() -> None:
            change_price(any_shop, "50000")
            twin.clock.now = any_shop.clock()
            twin.clock.step(0.01)
            newer.append(start(twin, order(price="50000")))

        # The slow one has loaded its order, and has not looked yet if there is a payment of it.
        with just_before(any_shop, "WHERE spayon_payment.order_id =", overtake):
            payment = start(any_shop, order())

        assert payment.session_id == newer[0].session_id
        assert not any_shop.payment(payment.session_id).superseded
        gateway.pay(payment.session_id)
        assert any_shop.paid_times() == 1

    def test_a_slow_page_does_not_displace_a_newer_session(
        self, any_shop: Shop, gateway: Simulator, fleet: Fleet
    ) -> None:
        any_shop.add_order()
        twin = fleet.join(any_shop)
        newer: list[Any] = []

        def overtake() -> None:
            change_price(any_shop, "50000")
            newer.append(start(twin, order(price="50000")))

        # The page has loaded its order by then. The clocks of the two hosts do not tell.
        with just_before(any_shop, "WHERE spayon_payment.order_id =", overtake):
            answer = any_shop.app.test_client().post("/pay/checkout/A1")

        assert answer.location == newer[0].session_url
        assert gateway.sessions.created == 1

    def test_a_change_that_comes_while_spayon_is_asked_is_not_sold_at_the_old_price(
        self, any_shop: Shop, gateway: Simulator, fleet: Fleet
    ) -> None:
        any_shop.add_order()
        twin = fleet.join(any_shop)

        class WaitingError(Exception):
            """The twin waits for the first request, which has not ended."""

        def wait(_: float) -> None:
            raise WaitingError

        twin.app.extensions["spayon"]["spayon"].checkout.sleep = wait

        def change() -> None:
            change_price(any_shop, "50000")

            with pytest.raises(WaitingError):
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
        self, any_shop: Shop, gateway: Simulator
    ) -> None:
        any_shop.add_order()
        sessions = []

        for price in ("1000", "50000", "1000"):
            change_price(any_shop, price)
            sessions.append(start(any_shop, order(price=price)))

        for payment in reversed(sessions):
            gateway.pay(payment.session_id)

        assert [each[0] for each in _standing(any_shop)] == ["review", "review", "paid"]
        assert any_shop.paid_times() == 1

    def test_checkouts_of_a_changing_order_at_once_end_with_one_session_at_the_last_price(
        self, any_shop: Shop, gateway: Simulator, fleet: Fleet
    ) -> None:
        any_shop.add_order()
        shops = [any_shop, fleet.join(any_shop), fleet.join(any_shop)]

        def check_out(shop: Shop) -> int:
            return shop.app.test_client().post("/pay/checkout/A1").status_code

        def change() -> int:
            change_price(any_shop, "50000")
            return 303

        answers = at_once([*(lambda s=shop: check_out(s) for shop in shops), change])

        assert answers == [303] * 4
        last = start(any_shop, order(price="50000"))
        held = [each for each in payments(any_shop) if each.held_order_id is not None]
        assert [(each.session_id, int(each.price)) for each in held] == [(last.session_id, 50000)]

        for session in gateway.sessions.of_order("A1"):
            if session.id != last.session_id:
                gateway.pay(session.id)

        assert any_shop.paid_times() == 0
        pass_time(any_shop, gateway, 1)
        gateway.pay(last.session_id)
        statuses = {each.status for each in payments(any_shop)}
        assert statuses <= {"paid", "review"}
