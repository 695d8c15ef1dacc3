"""Promise 8: what no callback has told is found by reconcile, on each database."""

from __future__ import annotations

import threading
from collections.abc import Callable
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from uuid import uuid4

import pytest
from flask import current_app

from spayon_flask.reconcile import Step
from spayon_flask.reconcile import Summary
from spayon_flask.reconcile.run import MAX_FAILURES
from tests.gateway import Gateway
from tests.gateway import Says
from tests.many import add_many
from tests.promises.helpers import Fleet
from tests.promises.helpers import at_once
from tests.reports import report
from tests.shop import Shop


#: Half an hour: by then Spayon has given up telling of a payment that was paid after all.
LAST_LOOK = 30 * 60


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """A gateway that says "paid", each payment for its own order, unless told otherwise."""
    with Gateway() as gateway:
        gateway.statuses = _own_order
        yield gateway


@pytest.fixture
def asking_shop(any_shop: Shop, fleet: Fleet, gateway: Gateway) -> Shop:
    """A shop on each of the three engines that asks this gateway."""
    return fleet.join(any_shop, SPAYON_API_URL=gateway.url)


def _own_order(session_id: str) -> Says:
    return Says(report(session_id, orderId=f"A{session_id[1:]}"))


def _reconcile(shop: Shop, jobs: int = 4) -> Summary:
    with shop.app.app_context():
        return shop.spayon.reconcile(jobs=jobs)


class TestThreads:
    """Answers are recorded side by side if the database can do it."""

    def test_two_handlers_run_at_once_on_a_database_server(
        self, server_shop: Shop, fleet: Fleet, gateway: Gateway
    ) -> None:
        shop = fleet.join(server_shop, SPAYON_API_URL=gateway.url)
        # New ids each time: if InnoDB finds the remains of a deleted row with the same key, it
        # locks the gap around it, and the neighbour waits.
        orders = {uuid4().hex: "A1", uuid4().hex: "A2"}
        gateway.statuses = lambda each: Says(report(each, orderId=orders[each]))

        for session_id, order_id in orders.items():
            shop.add_order(order_id)
            shop.add_payment(session_id, order_id)

        both = threading.Barrier(2)
        shop.handle = lambda *_: both.wait(10)

        assert _reconcile(shop).changed == {"paid": 2}

    def test_an_error_of_the_caller_ends_the_run_and_loses_no_answer(
        self, server_shop: Shop, fleet: Fleet, gateway: Gateway
    ) -> None:
        shop = fleet.join(server_shop, SPAYON_API_URL=gateway.url)
        add_many(shop, 6)
        all_are_asked, go_on = threading.Event(), threading.Event()
        handled = count()

        def note(session_id: str) -> Says:
            if len(gateway.asked) == 6:
                all_are_asked.set()

            return _own_order(session_id)

        def handle(*_: object) -> None:
            all_are_asked.wait(10)

            if next(handled) > 0:
                go_on.wait(10)

        def fail(_: Step) -> None:
            # By then the run has come to its end, but for what it waits for.
            threading.Timer(0.3, go_on.set).start()
            raise ZeroDivisionError

        gateway.statuses = note
        shop.handle = handle

        with shop.app.app_context(), pytest.raises(ZeroDivisionError):
            shop.spayon.reconcile(jobs=2, progress=fail)

        assert sorted(row.session_id for row in shop.callbacks()) == sorted(gateway.asked)

    def test_an_error_of_the_caller_loses_no_answer_if_there_is_one_writer(
        self, clean_shop: Callable[[str], Shop], fleet: Fleet, gateway: Gateway
    ) -> None:
        shop = fleet.join(clean_shop("sqlite"), SPAYON_API_URL=gateway.url)
        add_many(shop, 6)
        both = threading.Barrier(2)

        def together(session_id: str) -> Says:
            both.wait(10)
            return _own_order(session_id)

        def fail(_: Step) -> None:
            raise ZeroDivisionError

        gateway.statuses = together

        with shop.app.app_context(), pytest.raises(ZeroDivisionError):
            shop.spayon.reconcile(jobs=2, progress=fail)

        assert len(gateway.asked) >= 2
        assert sorted(row.session_id for row in shop.callbacks()) == sorted(gateway.asked)

    @pytest.mark.timeout(30)  # a run that is not told of it waits for ever
    def test_a_handler_that_exits_ends_the_run(
        self, server_shop: Shop, fleet: Fleet, gateway: Gateway
    ) -> None:
        shop = fleet.join(server_shop, SPAYON_API_URL=gateway.url)
        add_many(shop, 3)

        def leave(*_: object) -> None:
            raise SystemExit(7)

        shop.handle = leave

        with pytest.raises(SystemExit):
            _reconcile(shop)

        assert shop.callbacks() == []

    @pytest.mark.parametrize("any_shop", ["sqlite"], indirect=True)
    def test_one_writer_records_in_the_callers_thread(self, asking_shop: Shop) -> None:
        assert _threads(asking_shop, jobs=4) == {threading.current_thread().name}

    def test_one_job_records_in_the_callers_thread(self, asking_shop: Shop) -> None:
        assert _threads(asking_shop, jobs=1) == {threading.current_thread().name}

    def test_where_there_are_no_more_threads_the_run_ends_and_leaves_none_behind(
        self, asking_shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        start = threading.Thread.start

        def start_few(thread: threading.Thread) -> None:
            if thread.name == "reconcile_2":
                raise RuntimeError("can't start new thread")

            start(thread)

        monkeypatch.setattr(threading.Thread, "start", start_few)
        add_many(asking_shop, 8)

        with pytest.raises(RuntimeError, match="new thread"):
            _reconcile(asking_shop)

        names = [thread.name for thread in threading.enumerate()]
        assert not [name for name in names if name.startswith("reconcile_")]

    def test_every_handler_has_an_app_context_and_its_own_effect(self, asking_shop: Shop) -> None:
        add_many(asking_shop, 40)
        configs: list[object] = []
        asking_shop.handle = lambda *_: configs.append(current_app.config)

        assert _reconcile(asking_shop, jobs=16).changed == {"paid": 40}

        assert all(config is asking_shop.app.config for config in configs)
        assert [asking_shop.paid_times(f"A{number}") for number in range(1, 41)] == [1] * 40

    def test_the_caller_sees_what_the_other_threads_have_written(
        self, asking_shop: Shop, gateway: Gateway
    ) -> None:
        add_many(asking_shop, 2)
        first_is_done = threading.Event()

        def second_waits(session_id: str) -> Says:
            assert session_id == "S1" or first_is_done.wait(10)
            return _own_order(session_id)

        gateway.statuses = second_waits

        with asking_shop.app.app_context():
            model = asking_shop.spayon.Payment
            payments = asking_shop.db.session.scalars(asking_shop.db.select(model)).all()

            def look(_: Step) -> None:
                assert any(payment.status == "paid" for payment in payments)
                first_is_done.set()

            asking_shop.spayon.reconcile(progress=look)

            assert [payment.status for payment in payments] == ["paid", "paid"]

    def test_several_reconcilers_and_the_callbacks_have_one_effect_each(
        self, asking_shop: Shop, fleet: Fleet, gateway: Gateway
    ) -> None:
        add_many(asking_shop, 30)
        twin = fleet.join(asking_shop, SPAYON_API_URL=gateway.url)

        def deliver() -> None:
            for number in range(1, 31):
                asking_shop.deliver(report(f"S{number}", orderId=f"A{number}"))

        at_once([lambda: _reconcile(asking_shop), lambda: _reconcile(twin), deliver])

        assert [asking_shop.paid_times(f"A{number}") for number in range(1, 31)] == [1] * 30


class TestInterval:
    """Between two calls for one payment lies the interval, counted from the call itself."""

    @pytest.fixture(autouse=True)
    def far_ahead(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Payments are leased while others are asked about, however slow this machine is."""
        monkeypatch.setattr("spayon_flask.reconcile.workers.LEAD", timedelta(hours=1))

    def test_a_page_asks_no_earlier_than_an_interval_after_reconcile_has(
        self, asking_shop: Shop, gateway: Gateway
    ) -> None:
        def slow(session_id: str) -> Says:
            asking_shop.clock.step(4)
            return Says(report(session_id, "pending"))

        gateway.statuses = slow
        add_many(asking_shop, 2)
        assert _reconcile(asking_shop, jobs=1).asked == 2
        first, second = gateway.asked

        # The second payment was asked about 4 seconds ago, and leased 8 seconds ago.
        _refresh(asking_shop, second)
        assert gateway.asked[second] == 1

        asking_shop.clock.step(1)
        _refresh(asking_shop, second)
        assert gateway.asked == {first: 1, second: 2}

    def test_reconcile_asks_no_more_about_what_a_page_has_asked_about_in_the_meantime(
        self, asking_shop: Shop, gateway: Gateway
    ) -> None:
        def slow(session_id: str) -> Says:
            if len(gateway.asked) == 1:
                asking_shop.clock.step(6)
                _refresh(asking_shop, "S2" if session_id == "S1" else "S1")

            return Says(report(session_id, "pending"))

        gateway.statuses = slow
        add_many(asking_shop, 2)
        summary = _reconcile(asking_shop, jobs=1)

        assert gateway.asked == {"S1": 1, "S2": 1}
        assert (summary.asked, summary.exit_code) == (1, 0)


class TestEnd:
    """A run ends, whatever Spayon does."""

    def test_calls_that_fail_in_a_row_end_the_run_and_leave_the_rest_due(
        self, asking_shop: Shop, gateway: Gateway
    ) -> None:
        gateway.statuses = lambda _: Says(code=503)
        add_many(asking_shop, 40)

        summary = _reconcile(asking_shop)

        # Five in a row, and those that were under way by then.
        assert MAX_FAILURES <= summary.asked <= MAX_FAILURES + 4
        assert sum(gateway.asked.values()) == summary.asked == summary.unanswered
        assert (summary.put_back, summary.exit_code) == (40 - summary.asked, 2)

        # The next runs, on whatever host, leave Spayon alone for two minutes.
        gateway.statuses = _own_order
        asking_shop.clock.step(59)
        assert _reconcile(asking_shop).asked == 0

        asking_shop.clock.step(61)
        assert _reconcile(asking_shop).asked == 40

    def test_a_long_retry_after_holds_for_the_runs_that_follow(
        self, asking_shop: Shop, gateway: Gateway
    ) -> None:
        gateway.statuses = lambda _: Says(code=503, headers={"Retry-After": "600"})
        add_many(asking_shop, 20)

        summary = _reconcile(asking_shop, jobs=1)
        assert (summary.asked, summary.put_back) == (1, 19)

        gateway.statuses = _own_order
        asking_shop.clock.step(599)
        assert _reconcile(asking_shop).asked == 0

        asking_shop.clock.step(1)
        assert _reconcile(asking_shop).changed == {"paid": 20}

    def test_a_usable_answer_in_between_lets_the_run_go_on(
        self, asking_shop: Shop, gateway: Gateway
    ) -> None:
        numbers = count(1)

        def flicker(session_id: str) -> Says:
            return _own_order(session_id) if next(numbers) % MAX_FAILURES == 0 else Says(code=500)

        gateway.statuses = flicker
        add_many(asking_shop, 20)

        summary = _reconcile(asking_shop, jobs=1)

        assert (summary.asked, summary.unanswered, summary.put_back) == (20, 16, 0)

    def test_a_run_that_has_taken_too_long_leaves_the_rest_due(
        self, asking_shop: Shop, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("spayon_flask.reconcile.run.LONGEST_RUN", 0.2)
        late = threading.Event()

        def slow(session_id: str) -> Says:
            late.wait(0.3)
            return _own_order(session_id)

        gateway.statuses = slow
        add_many(asking_shop, 5)

        summary = _reconcile(asking_shop, jobs=1)

        assert (summary.asked, summary.put_back, summary.exit_code) == (1, 4, 2)


class TestLastLook:
    """A payment that has ended is asked about once more: Spayon may have changed its mind."""

    @pytest.mark.parametrize("ending", ["failed", "expired"])
    def test_a_late_paid_that_was_never_delivered_is_found(
        self, asking_shop: Shop, gateway: Gateway, ending: str
    ) -> None:
        add_many(asking_shop, 1)
        asking_shop.deliver(report(status=ending))

        asking_shop.clock.step(LAST_LOOK)

        assert _reconcile(asking_shop).changed == {"paid": 1}
        assert asking_shop.paid_times() == 1

    def test_it_waits_until_spayon_has_given_up_telling(
        self, asking_shop: Shop, gateway: Gateway
    ) -> None:
        add_many(asking_shop, 1)
        asking_shop.deliver(report(status="failed"))

        asking_shop.clock.step(LAST_LOOK - 1)

        assert _reconcile(asking_shop).asked == 0

    @pytest.mark.parametrize("said", [Says(report(status="failed")), Says(code=404)])
    def test_after_an_answer_nobody_asks_again(
        self, asking_shop: Shop, gateway: Gateway, said: Says
    ) -> None:
        gateway.statuses = lambda _: said
        add_many(asking_shop, 1)
        asking_shop.deliver(report(status="failed"))
        asking_shop.clock.step(LAST_LOOK)

        assert (_reconcile(asking_shop).asked, asking_shop.payment().due_at) == (1, None)
        assert asking_shop.payment().status == "failed"

    def test_without_an_answer_somebody_asks_again(
        self, asking_shop: Shop, gateway: Gateway
    ) -> None:
        gateway.statuses = lambda _: Says(code=500)
        add_many(asking_shop, 1)
        asking_shop.deliver(report(status="failed"))
        asking_shop.clock.step(LAST_LOOK)
        assert _reconcile(asking_shop).unanswered == 1

        gateway.statuses = _own_order
        asking_shop.clock.now = asking_shop.payment().due_at

        assert _reconcile(asking_shop).changed == {"paid": 1}

    def test_a_payment_that_a_person_refused_is_not_asked_about(
        self, asking_shop: Shop, gateway: Gateway
    ) -> None:
        add_many(asking_shop, 1)
        asking_shop.deliver(report(price="1"))

        with asking_shop.app.app_context():
            asking_shop.spayon.state.storage.reviews.settle(
                asking_shop.payment().id,
                accept=False,
                by="Ani",
                because="refunded",
                now=asking_shop.clock(),
            )

        asking_shop.clock.step(365 * 24 * 3600)

        assert _reconcile(asking_shop).asked == 0

    def test_a_paid_payment_is_not_asked_about(self, asking_shop: Shop, gateway: Gateway) -> None:
        add_many(asking_shop, 1)
        asking_shop.deliver(report())

        asking_shop.clock.step(365 * 24 * 3600)

        assert _reconcile(asking_shop).asked == 0


def _refresh(shop: Shop, session_id: str) -> None:
    """Ask about a payment as the return page does."""
    with shop.app.app_context():
        shop.spayon.refresh(shop.payment(session_id))


def _threads(shop: Shop, jobs: int) -> set[str]:
    """Return the names of the threads in which the handlers of five payments run."""
    add_many(shop, 5)
    names: set[str] = set()
    shop.handle = lambda *_: names.add(threading.current_thread().name)
    assert _reconcile(shop, jobs).changed == {"paid": 5}
    return names


class TestHandlersThatFailForDays:
    """The money is there, the goods are not: after some days a person hears of it."""

    def test_after_three_days_of_failures_the_payment_is_a_review_and_is_settled_like_any_other(
        self, asking_shop: Shop, gateway: Gateway
    ) -> None:
        def fail(status: str, _: object) -> None:
            if status == "paid":
                raise RuntimeError("the order is gone")

        asking_shop.handle = fail
        add_many(asking_shop, 1)
        began = asking_shop.clock()
        days: list[float] = []

        while asking_shop.payment().status == "pending":
            assert _reconcile(asking_shop).asked == 1
            days.append((asking_shop.clock() - began) / timedelta(days=1))
            asking_shop.clock.now = asking_shop.payment().due_at or asking_shop.clock()

        payment = asking_shop.payment()
        assert (payment.status, payment.review) == ("review", "handler_failed")
        assert 3 <= days[-1] < 3.5
        assert asking_shop.paid_times() == 0

        asking_shop.handle = None

        with asking_shop.app.app_context():
            asking_shop.spayon.state.storage.reviews.settle(
                payment.id, accept=True, by="Ani", because="seen", now=asking_shop.clock()
            )

        assert asking_shop.payment().status == "paid"
        assert asking_shop.paid_times() == 1
