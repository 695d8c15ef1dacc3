"""Promise 10: the dispatcher is given each row that changed something, after the commit."""

import pytest

from tests.promises.helpers import Fleet, at_once, fail, is_undone, reconcile, settle
from tests.reports import report
from tests.shop import Shop


@pytest.fixture
def given(any_shop: Shop) -> list[int]:
    """What the dispatcher of `any_shop` was given."""
    given: list[int] = []
    any_shop.spayon.dispatcher(given.append)
    return given


@pytest.mark.always
def test_each_change_of_status_is_handed_over_once(pending_shop: Shop, given: list[int]) -> None:
    for status in ("pending", "failed", "failed", "expired", "paid", "paid", "refunded"):
        assert pending_shop.deliver(report(status=status)) == 200

    changed = [row.id for row in pending_shop.callbacks() if row.verdict == "applied"]
    assert given == changed
    assert len(given) == 2
    assert reconcile(pending_shop).handed_over == 0


def test_a_review_is_handed_over_too(pending_shop: Shop, given: list[int]) -> None:
    pending_shop.deliver(report(price="1"))

    assert given == [row.id for row in pending_shop.callbacks()]


def test_the_dispatcher_is_called_after_the_commit(pending_shop: Shop, twin: Shop) -> None:
    seen: list[tuple[str, int]] = []

    @pending_shop.spayon.dispatcher
    def look(callback_id: int) -> None:
        assert [row.id for row in twin.callbacks()] == [callback_id]
        seen.append((twin.payment().status, twin.paid_times()))

    pending_shop.deliver(report())

    assert seen == [("paid", 1)]


def test_a_dispatcher_that_raises_costs_spayon_nothing_and_is_called_again(
    pending_shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[int] = []

    @pending_shop.spayon.dispatcher
    def fail_once(callback_id: int) -> None:
        calls.append(callback_id)

        if len(calls) == 1:
            raise ConnectionError("no queue")

    assert pending_shop.deliver(report()) == 200
    assert "dispatcher failed" in caplog.text

    for seconds, handed_over in ((0, 0), (61, 1), (3600, 0)):
        pending_shop.clock.step(seconds)
        assert reconcile(pending_shop).handed_over == handed_over

    assert calls == [pending_shop.callbacks()[0].id] * 2
    assert pending_shop.paid_times() == 1


@pytest.mark.always
def test_reconcilers_on_several_hosts_share_the_rows(any_shop: Shop, fleet: Fleet) -> None:
    any_shop.spayon.dispatcher(fail)

    for number in range(6):
        any_shop.add_order(f"A{number}")
        any_shop.add_payment(f"S{number}", f"A{number}")
        any_shop.deliver(report(f"S{number}", orderId=f"A{number}"))

    given: list[int] = []
    hosts = [fleet.join(any_shop) for _ in range(3)]

    for host in hosts:
        host.spayon.dispatcher(given.append)
        host.clock.step(61)

    calls = [lambda h=host: reconcile(h).handed_over for host in hosts]

    assert sum(at_once(calls)) == 6
    assert sorted(given) == [row.id for row in any_shop.callbacks()]


def test_what_the_dispatcher_leaves_in_the_session_is_not_committed(pending_shop: Shop) -> None:
    @pending_shop.spayon.dispatcher
    def litter(_: int) -> None:
        pending_shop.db.session.get_one(pending_shop.orders, "A1").paid_times = 99
        pending_shop.db.session.flush()

    assert pending_shop.deliver(report()) == 200
    assert pending_shop.paid_times() == 1


def test_a_hand_over_that_ends_late_does_not_clear_the_next_one(
    pending_shop: Shop, twin: Shop
) -> None:
    given: list[int] = []
    twin.spayon.dispatcher(fail)

    @pending_shop.spayon.dispatcher
    def be_slow(callback_id: int) -> None:
        given.append(callback_id)

        # Meanwhile a person settles the review, at that very moment, and the queue is down.
        if len(given) == 1:
            settle(twin, accept=True)

    pending_shop.deliver(report(price="1"))

    pending_shop.clock.step(61)
    assert reconcile(pending_shop).handed_over == 1
    assert given == [pending_shop.callbacks()[0].id] * 2


def test_what_happened_before_there_was_a_dispatcher_is_not_handed_over(pending_shop: Shop) -> None:
    pending_shop.deliver(report())
    pending_shop.spayon.dispatcher(lambda _: pytest.fail("it is handed over"))
    pending_shop.clock.step(3600)

    assert reconcile(pending_shop).handed_over == 0


def test_a_failed_handler_hands_nothing_over(pending_shop: Shop, given: list[int]) -> None:
    is_undone(pending_shop, fail)
    assert given == []
