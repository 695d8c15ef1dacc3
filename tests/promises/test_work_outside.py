"""Promise 10: the dispatcher is given each row that changed something, after the commit."""

import logging

import pytest

from tests.promises.helpers import Fleet, at_once
from tests.reports import report
from tests.shop import Shop


class TestWorkOutside:
    """At least once, never lost, and never in the way of the answer."""

    @pytest.mark.always
    def test_each_change_of_status_is_handed_over_once(self, any_shop: Shop) -> None:
        given: list[int] = []
        any_shop.spayon.dispatcher(given.append)
        any_shop.add_pending()

        for status in ("pending", "failed", "failed", "expired", "paid", "paid", "refunded"):
            assert any_shop.deliver(report(status=status)) == 200

        changed = [row.id for row in any_shop.callbacks() if row.verdict == "applied"]
        assert given == changed
        assert len(given) == 2
        assert _reconcile(any_shop) == 0

    def test_a_review_is_handed_over_too(self, any_shop: Shop) -> None:
        given: list[int] = []
        any_shop.spayon.dispatcher(given.append)
        any_shop.add_pending()

        any_shop.deliver(report(price="1"))

        assert given == [row.id for row in any_shop.callbacks()]

    def test_the_dispatcher_is_called_after_the_commit(self, any_shop: Shop, fleet: Fleet) -> None:
        elsewhere = fleet.join(any_shop)
        seen: list[tuple[str, int]] = []

        @any_shop.spayon.dispatcher
        def look(callback_id: int) -> None:
            assert [row.id for row in elsewhere.callbacks()] == [callback_id]
            seen.append((elsewhere.payment().status, elsewhere.paid_times()))

        any_shop.add_pending()
        any_shop.deliver(report())

        assert seen == [("paid", 1)]

    def test_a_dispatcher_that_raises_costs_spayon_nothing_and_is_called_again(
        self, any_shop: Shop, caplog: pytest.LogCaptureFixture
    ) -> None:
        calls: list[int] = []

        @any_shop.spayon.dispatcher
        def fail_once(callback_id: int) -> None:
            calls.append(callback_id)

            if len(calls) == 1:
                raise ConnectionError("no queue")

        any_shop.add_pending()

        with caplog.at_level(logging.ERROR):
            assert any_shop.deliver(report()) == 200

        assert "dispatcher failed" in caplog.text
        assert _reconcile(any_shop) == 0

        any_shop.clock.step(61)
        assert _reconcile(any_shop) == 1
        assert calls == [any_shop.callbacks()[0].id] * 2
        assert any_shop.paid_times() == 1

        any_shop.clock.step(3600)
        assert _reconcile(any_shop) == 0

    @pytest.mark.always
    def test_reconcilers_on_several_hosts_share_the_rows(
        self, any_shop: Shop, fleet: Fleet
    ) -> None:
        def refuse(_: int) -> None:
            raise ConnectionError

        any_shop.spayon.dispatcher(refuse)

        for number in range(6):
            any_shop.add_order(f"A{number}")
            any_shop.add_payment(f"S{number}", f"A{number}")
            any_shop.deliver(report(f"S{number}", orderId=f"A{number}"))

        given: list[int] = []
        hosts = [fleet.join(any_shop) for _ in range(3)]

        for host in hosts:
            host.spayon.dispatcher(given.append)
            host.clock.step(61)

        calls = [lambda h=host: _reconcile(h) for host in hosts]

        assert sum(at_once(calls)) == 6
        assert sorted(given) == [row.id for row in any_shop.callbacks()]

    def test_what_the_dispatcher_leaves_in_the_session_is_not_committed(
        self, any_shop: Shop
    ) -> None:
        @any_shop.spayon.dispatcher
        def litter(_: int) -> None:
            any_shop.db.session.get_one(any_shop.orders, "A1").paid_times = 99
            any_shop.db.session.flush()

        any_shop.add_pending()

        assert any_shop.deliver(report()) == 200
        assert any_shop.paid_times() == 1

    def test_a_hand_over_that_ends_late_does_not_clear_the_next_one(
        self, any_shop: Shop, fleet: Fleet
    ) -> None:
        twin = fleet.join(any_shop)
        given: list[int] = []

        @twin.spayon.dispatcher
        def refuse(_: int) -> None:
            raise ConnectionError

        @any_shop.spayon.dispatcher
        def be_slow(callback_id: int) -> None:
            given.append(callback_id)

            # Meanwhile a person settles the review, at that very moment, and the queue is down.
            if len(given) == 1:
                with twin.app.app_context():
                    twin.spayon.state.storage.decisions.settle(
                        twin.payment().id, accept=True, by="Ani", because="seen", now=twin.clock()
                    )

        any_shop.add_pending()
        any_shop.deliver(report(price="1"))

        any_shop.clock.step(61)
        assert _reconcile(any_shop) == 1
        assert given == [any_shop.callbacks()[0].id] * 2

    def test_what_happened_before_there_was_a_dispatcher_is_not_handed_over(
        self, any_shop: Shop
    ) -> None:
        any_shop.add_pending()
        any_shop.deliver(report())
        any_shop.spayon.dispatcher(lambda _: pytest.fail("it is handed over"))
        any_shop.clock.step(3600)

        assert _reconcile(any_shop) == 0

    def test_a_failed_handler_hands_nothing_over(self, any_shop: Shop) -> None:
        given: list[int] = []
        any_shop.spayon.dispatcher(given.append)
        any_shop.add_pending()

        def fail(*_: object) -> None:
            raise RuntimeError

        any_shop.handle = fail
        assert any_shop.deliver(report()) == 500
        assert given == []


def _reconcile(shop: Shop) -> int:
    with shop.app.app_context():
        return int(shop.spayon.reconcile().handed_over)
