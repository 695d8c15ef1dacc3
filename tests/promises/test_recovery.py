"""Promise 8: what no callback has told is found by reconcile, on each database."""

import threading
from itertools import count

import pytest
from flask import current_app

from spayon_flask.reconcile import Step
from spayon_flask.reconcile.run import MAX_FAILURES
from tests.gateway import Gateway, Says, paid
from tests.many import add_many
from tests.promises.helpers import Fleet, at_once, payments, reconcile, refresh, settle
from tests.reports import report
from tests.shop import Shop

#: Half an hour: by then Spayon has given up telling of a payment that was paid after all.
LAST_LOOK = 30 * 60


# The threads of a run ask and do nothing else; the caller records.


def test_an_error_of_the_caller_ends_the_run_and_loses_no_answer(
    asking_shop: Shop, scripted: Gateway
) -> None:
    add_many(asking_shop, 6)
    both = threading.Barrier(2)

    def together(session_id: str) -> Says:
        both.wait(10)
        return paid(session_id)

    def fail(_: Step) -> None:
        raise ZeroDivisionError

    scripted.statuses = together

    with pytest.raises(ZeroDivisionError):
        reconcile(asking_shop, jobs=2, progress=fail)

    assert len(scripted.asked) == 2
    assert sorted(row.session_id for row in asking_shop.callbacks()) == sorted(scripted.asked)


@pytest.mark.timeout(30)  # a run that is not told of it waits for ever
def test_a_handler_that_exits_ends_the_run(
    server_shop: Shop, fleet: Fleet, scripted: Gateway
) -> None:
    shop = fleet.join(server_shop, SPAYON_API_URL=scripted.url)
    add_many(shop, 3)

    def leave(*_: object) -> None:
        raise SystemExit(7)

    shop.handle = leave

    with pytest.raises(SystemExit):
        reconcile(shop)

    assert shop.callbacks() == []


def test_where_there_are_no_more_threads_the_run_ends_and_leaves_none_behind(
    asking_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start

    def start_few(thread: threading.Thread) -> None:
        if thread.name == "reconcile_2":
            raise RuntimeError("can't start new thread")

        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_few)
    add_many(asking_shop, 8)

    with pytest.raises(RuntimeError, match="new thread"):
        reconcile(asking_shop)

    assert not [each for each in threading.enumerate() if each.name.startswith("reconcile_")]


def test_every_handler_runs_in_the_callers_thread_and_has_its_own_effect(asking_shop: Shop) -> None:
    add_many(asking_shop, 40)
    seen: list[tuple[object, threading.Thread]] = []
    asking_shop.handle = lambda *_: seen.append((current_app.config, threading.current_thread()))

    assert reconcile(asking_shop, jobs=16).changed == {"paid": 40}

    for config, thread in seen:
        assert config is asking_shop.app.config
        assert thread is threading.current_thread()

    assert [asking_shop.paid_times(f"A{number}") for number in range(1, 41)] == [1] * 40


@pytest.mark.always
def test_several_reconcilers_and_the_callbacks_have_one_effect_each(
    asking_shop: Shop, fleet: Fleet, scripted: Gateway
) -> None:
    add_many(asking_shop, 30)
    twin = fleet.join(asking_shop, SPAYON_API_URL=scripted.url)

    def deliver() -> None:
        for number in range(1, 31):
            asking_shop.deliver(report(f"S{number}", orderId=f"A{number}"))

    at_once([lambda: reconcile(asking_shop), lambda: reconcile(twin), deliver])

    assert [asking_shop.paid_times(f"A{number}") for number in range(1, 31)] == [1] * 30


# Between two calls for one payment lies the interval, counted from the call itself.


def test_a_page_asks_no_earlier_than_an_interval_after_reconcile_has(
    asking_shop: Shop, scripted: Gateway
) -> None:
    def slow(session_id: str) -> Says:
        asking_shop.clock.step(4)
        return Says(report(session_id, "pending"))

    scripted.statuses = slow
    add_many(asking_shop, 2)
    assert reconcile(asking_shop, jobs=1).asked == 2
    first, second = scripted.asked

    # The second payment was asked about 4 seconds ago, and the run began 8 seconds ago.
    refresh(asking_shop, second)
    assert scripted.asked[second] == 1

    asking_shop.clock.step(1)
    refresh(asking_shop, second)
    assert scripted.asked == {first: 1, second: 2}


def test_reconcile_asks_no_more_about_what_a_page_has_asked_about_in_the_meantime(
    asking_shop: Shop, scripted: Gateway
) -> None:
    def slow(session_id: str) -> Says:
        if len(scripted.asked) == 1:
            asking_shop.clock.step(6)
            refresh(asking_shop, "S2" if session_id == "S1" else "S1")

        return Says(report(session_id, "pending"))

    scripted.statuses = slow
    add_many(asking_shop, 2)
    summary = reconcile(asking_shop, jobs=1)

    assert scripted.asked == {"S1": 1, "S2": 1}
    assert (summary.asked, summary.exit_code) == (1, 0)


@pytest.mark.parametrize("ahead", [600, 4])
def test_a_host_whose_clock_is_ahead_keeps_nobody_from_asking(
    asking_shop: Shop, scripted: Gateway, fleet: Fleet, ahead: int
) -> None:
    scripted.statuses = lambda each: Says(report(each, "pending"))
    add_many(asking_shop, 1)
    fast = fleet.join(asking_shop, SPAYON_API_URL=scripted.url)
    fast.clock.step(ahead)
    refresh(fast, "S1")

    # What is a moment ahead is waited for; what is far ahead, is a clock that goes wrong.
    asking_shop.clock.step(1 if ahead > 5 else ahead + 5)
    refresh(asking_shop, "S1")
    assert scripted.asked == {"S1": 2}

    # From then on the interval counts again.
    asking_shop.clock.step(4)
    refresh(asking_shop, "S1")
    assert scripted.asked == {"S1": 2}


# What was begun with another gateway is its own: staging on a copy of the live database.


def test_nobody_asks_about_a_payment_of_another_gateway(
    asking_shop: Shop, scripted: Gateway
) -> None:
    add_many(asking_shop, 2, gateway="api.spayon.io")
    asking_shop.clock.step(365 * 24 * 3600)

    refresh(asking_shop, "S1")
    summary = reconcile(asking_shop)

    assert scripted.asked == {}
    assert (summary.asked, summary.put_back, summary.exit_code) == (0, 0, 0)
    assert [each.status for each in payments(asking_shop, "A1")] == ["pending"]
    assert asking_shop.handled == []


# A run ends, whatever Spayon does.


def test_calls_that_fail_in_a_row_end_the_run_and_leave_the_rest_due(
    asking_shop: Shop, scripted: Gateway
) -> None:
    scripted.statuses = lambda _: Says(code=503)
    add_many(asking_shop, 40)

    summary = reconcile(asking_shop)

    # Five in a row, and those that were under way by then.
    assert MAX_FAILURES <= summary.asked <= MAX_FAILURES + 4
    assert sum(scripted.asked.values()) == summary.asked == summary.unanswered
    assert (summary.put_back, summary.exit_code) == (40 - summary.asked, 2)

    # The next runs, on whatever host, leave Spayon alone for two minutes.
    scripted.statuses = paid
    asking_shop.clock.step(59)
    assert reconcile(asking_shop).asked == 0

    asking_shop.clock.step(61)
    assert reconcile(asking_shop).asked == 40


def test_a_long_retry_after_holds_for_the_runs_that_follow(
    asking_shop: Shop, scripted: Gateway
) -> None:
    scripted.statuses = lambda _: Says(code=503, headers={"Retry-After": "600"})
    add_many(asking_shop, 20)

    summary = reconcile(asking_shop, jobs=1)
    assert (summary.asked, summary.put_back) == (1, 19)

    scripted.statuses = paid
    asking_shop.clock.step(599)
    assert reconcile(asking_shop).asked == 0

    asking_shop.clock.step(1)
    assert reconcile(asking_shop).changed == {"paid": 20}


def test_a_usable_answer_in_between_lets_the_run_go_on(
    asking_shop: Shop, scripted: Gateway
) -> None:
    numbers = count(1)

    def flicker(session_id: str) -> Says:
        return paid(session_id) if next(numbers) % MAX_FAILURES == 0 else Says(code=500)

    scripted.statuses = flicker
    add_many(asking_shop, 20)

    summary = reconcile(asking_shop, jobs=1)

    assert (summary.asked, summary.unanswered, summary.put_back) == (20, 16, 0)


def test_a_run_that_has_taken_too_long_leaves_the_rest_due(
    asking_shop: Shop, scripted: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spayon_flask.reconcile.run.LONGEST_RUN", 0.2)
    late = threading.Event()

    def slow(session_id: str) -> Says:
        late.wait(0.3)
        return paid(session_id)

    scripted.statuses = slow
    add_many(asking_shop, 5)

    summary = reconcile(asking_shop, jobs=1)

    assert (summary.asked, summary.put_back, summary.exit_code) == (1, 4, 2)


# A payment that has ended is asked about once more: Spayon may have changed its mind.


@pytest.mark.parametrize("ending", ["failed", "expired"])
@pytest.mark.always
def test_a_late_paid_that_was_never_delivered_is_found(
    asking_shop: Shop, scripted: Gateway, ending: str
) -> None:
    add_many(asking_shop, 1)
    asking_shop.deliver(report(status=ending))

    # Until Spayon has given up telling, nobody asks.
    asking_shop.clock.step(LAST_LOOK - 1)
    assert reconcile(asking_shop).asked == 0

    asking_shop.clock.step(1)
    assert reconcile(asking_shop).changed == {"paid": 1}
    assert asking_shop.paid_times() == 1


@pytest.mark.parametrize("said", [Says(report(status="failed")), Says(code=404)])
def test_after_an_answer_nobody_asks_again(
    asking_shop: Shop, scripted: Gateway, said: Says
) -> None:
    scripted.statuses = lambda _: said
    add_many(asking_shop, 1)
    asking_shop.deliver(report(status="failed"))
    asking_shop.clock.step(LAST_LOOK)

    assert (reconcile(asking_shop).asked, asking_shop.payment().due_at) == (1, None)
    assert asking_shop.payment().status == "failed"


def test_without_an_answer_somebody_asks_again(asking_shop: Shop, scripted: Gateway) -> None:
    scripted.statuses = lambda _: Says(code=500)
    add_many(asking_shop, 1)
    asking_shop.deliver(report(status="failed"))
    asking_shop.clock.step(LAST_LOOK)
    assert reconcile(asking_shop).unanswered == 1

    scripted.statuses = paid
    asking_shop.clock.now = asking_shop.payment().due_at

    assert reconcile(asking_shop).changed == {"paid": 1}


def test_a_payment_that_a_person_refused_is_not_asked_about(asking_shop: Shop) -> None:
    add_many(asking_shop, 1)
    asking_shop.deliver(report(price="1"))
    settle(asking_shop, accept=False)
    asking_shop.clock.step(365 * 24 * 3600)

    assert reconcile(asking_shop).asked == 0
