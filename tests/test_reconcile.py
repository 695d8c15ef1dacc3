"""Reconcile: every due payment is asked about, and every answer has its place."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from spayon_flask import GatewayUnavailableError
from spayon_flask.errors import PaymentGoneError
from spayon_flask.reconcile import Step, Summary
from tests.gateway import Gateway, Says, paid, token
from tests.kept import dispose
from tests.many import add_many
from tests.reports import report
from tests.shop import Shop, make_shop


@pytest.fixture
def shop(scripted: Gateway, file_shop: Shop) -> Shop:
    """A shop that asks this gateway."""
    file_shop.configure(SPAYON_API_URL=scripted.url)
    return file_shop


def reconcile(shop: Shop, **options: Any) -> Summary:
    """Run reconcile in the shop."""
    with shop.app.app_context():
        return shop.spayon.reconcile(**options)


def test_all_that_is_due_is_asked_about(shop: Shop, scripted: Gateway) -> None:
    add_many(shop, 12)

    summary = reconcile(shop)

    assert summary.changed == {"paid": 12}
    assert set(scripted.asked.values()) == {1}


def test_a_payment_that_nobody_can_be_asked_about_does_not_end_the_run(
    shop: Shop, scripted: Gateway
) -> None:
    shop.add_payment(None, "A0", due_at=shop.clock() - timedelta(hours=1))
    add_many(shop, 1)
    shop.clock.step(3600)

    summary = reconcile(shop, jobs=1)

    assert summary.changed == {"expired": 1, "paid": 1}


def test_at_most_limit_payments_are_asked_about(shop: Shop, scripted: Gateway) -> None:
    add_many(shop, 12)

    assert reconcile(shop, limit=5).asked == 5
    assert reconcile(shop).asked == 7


def test_never_more_than_jobs_calls_run_at_once(shop: Shop, scripted: Gateway) -> None:
    gate = threading.Barrier(3)

    def together(session_id: str) -> Says:
        gate.wait(5)
        return paid(session_id)

    scripted.statuses = together
    add_many(shop, 9)

    assert reconcile(shop, jobs=3).asked == 9
    assert scripted.at_once == 3


def test_a_session_that_is_still_pending_is_asked_about_after_a_longer_pause_each_time(
    shop: Shop, scripted: Gateway
) -> None:
    scripted.statuses = lambda session_id: Says(report(session_id, "pending"))
    add_many(shop, 1)
    pauses = []

    for _ in range(4):
        assert reconcile(shop).exit_code == 0
        pauses.append(shop.payment().due_at - shop.clock())
        shop.clock.now = shop.payment().due_at

    assert pauses == [timedelta(minutes=minutes) for minutes in (1, 2, 4, 8)]


def test_refused_credentials_end_the_run_with_1_and_leave_the_payments_due(
    shop: Shop, scripted: Gateway
) -> None:
    scripted.tokens = lambda _: Says(code=401)
    add_many(shop, 8)

    summary = reconcile(shop, jobs=2)

    assert (summary.refused, summary.exit_code) == (True, 1)
    assert summary.asked <= 4

    scripted.tokens, scripted.statuses = token, paid
    shop.clock.step(5)
    assert reconcile(shop).changed == {"paid": 8}


def test_a_short_retry_after_is_waited_for(shop: Shop, scripted: Gateway) -> None:
    calls: list[str] = []

    def busy(session_id: str) -> Says:
        calls.append(session_id)
        busy_now = len(calls) == 1
        return Says(code=429, headers={"Retry-After": "7"}) if busy_now else paid(session_id)

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waited.append(timeout or 0)
            shop.clock.step(timeout or 0)
            return False

    waited: list[float] = []
    scripted.statuses = busy
    add_many(shop, 3)

    summary = reconcile(shop, jobs=1, stop=Stop())

    assert waited == [7]
    assert (summary.unanswered, dict(summary.changed)) == (1, {"paid": 2})


@pytest.mark.parametrize("code", [500, 502, 503])
def test_a_server_error_leaves_the_payment_pending_and_asks_about_the_others(
    shop: Shop, scripted: Gateway, code: int
) -> None:
    scripted.statuses = lambda each: Says(code=code) if each == "S1" else paid(each)
    add_many(shop, 3)
    steps: list[Step] = []

    summary = reconcile(shop, progress=steps.append)

    assert (summary.unanswered, summary.exit_code) == (1, 2)
    assert summary.changed == {"paid": 2}
    assert shop.payment("S1").status == "pending"
    # The caller hears of each payment when it is done.
    told = {step.session_id: (step.status, bool(step.problem)) for step in steps}
    assert told == {"S1": (None, True), "S2": ("paid", False), "S3": ("paid", False)}


def test_a_time_out_leaves_the_payment_pending(scripted: Gateway) -> None:
    shop = make_shop(SPAYON_API_URL=scripted.url, SPAYON_TIMEOUT=(1, 0.1))
    late = threading.Event()

    def hang(session_id: str) -> Says:
        late.wait(30)
        return paid(session_id)

    scripted.statuses = hang
    add_many(shop, 1)

    summary = reconcile(shop)
    late.set()

    assert (summary.unanswered, summary.exit_code) == (1, 2)
    assert shop.payment().status == "pending"
    dispose(shop)


@pytest.mark.parametrize(
    "said",
    [
        Says(b"<html>"),
        Says(b"[]"),
        Says(b"\xff"),
        Says(report("another")),
        Says(code=302, headers={"Location": "http://127.0.0.1:9/"}),
        Says(code=403),
    ],
)
def test_a_nonsensical_answer_counts_as_none(shop: Shop, scripted: Gateway, said: Says) -> None:
    scripted.statuses = lambda _: said
    add_many(shop, 1)

    summary = reconcile(shop)

    assert (summary.unanswered, summary.exit_code) == (1, 2)
    assert shop.payment().status == "pending"


def test_a_handler_that_fails_does_not_keep_the_others_waiting(
    shop: Shop, scripted: Gateway
) -> None:
    def fail(_: str, payment: Any) -> None:
        if payment.order_id == "A2":
            raise RuntimeError("out of stock")

    scripted.statuses = paid
    shop.handle = fail
    add_many(shop, 3)

    summary = reconcile(shop)

    assert (summary.failed, summary.exit_code, dict(summary.changed)) == (1, 1, {"paid": 2})
    assert shop.payment("S2").status == "pending"


def test_a_database_error_for_one_payment_does_not_end_the_run(
    shop: Shop, scripted: Gateway
) -> None:
    def break_s2(_: Any, __: Any, statement: str, values: Any, *___: Any) -> None:
        if statement.startswith("INSERT") and "S2" in str(values):
            raise OSError("disk full")

    add_many(shop, 3)

    with shop.ahead_of_statements(break_s2):
        summary = reconcile(shop)

    assert (summary.failed, summary.exit_code, dict(summary.changed)) == (1, 1, {"paid": 2})


def test_once_stop_is_set_what_is_under_way_is_finished_and_the_rest_left_due(
    shop: Shop, scripted: Gateway
) -> None:
    stop = threading.Event()

    def stopping(session_id: str) -> Says:
        stop.set()
        return paid(session_id)

    scripted.statuses = stopping
    add_many(shop, 10)

    summary = reconcile(shop, jobs=2, stop=stop)

    assert 1 <= summary.changed["paid"] <= 2
    assert (summary.put_back, summary.exit_code) == (10 - summary.asked, 2)
    shop.clock.step(5)
    assert reconcile(shop).asked == 10 - summary.asked


def test_a_payment_that_becomes_due_during_the_run_is_left_for_the_next(
    shop: Shop, scripted: Gateway
) -> None:
    def slow(session_id: str) -> Says:
        shop.clock.step(120)
        return Says(report(session_id, "pending"))

    scripted.statuses = slow
    add_many(shop, 3)

    assert reconcile(shop, jobs=1).asked == 3


def test_a_dispatcher_that_fails_is_tried_once_a_run(shop: Shop, scripted: Gateway) -> None:
    tried: list[int] = []

    @shop.spayon.dispatcher
    def dispatch(callback_id: int) -> None:
        tried.append(callback_id)
        shop.clock.step(3600)
        raise RuntimeError("the queue is away")

    add_many(shop, 1)
    shop.deliver(report())
    shop.clock.step(3600)

    assert reconcile(shop).handed_over == 0
    assert len(tried) == 2


def test_a_database_error_at_the_hand_over_is_counted_and_does_not_end_the_run(
    shop: Shop, scripted: Gateway
) -> None:
    def break_update(_: Any, __: Any, statement: str, values: Any, *___: Any) -> None:
        if statement.startswith("UPDATE spayon_callback SET dispatch_at") and values[0] is None:
            raise OperationalError(statement, values, OSError("disk full"))

    taken: list[int] = []
    shop.spayon.dispatcher(taken.append)
    add_many(shop, 1)

    with shop.ahead_of_statements(break_update):
        shop.deliver(report())
        shop.clock.step(3600)
        summary = reconcile(shop)

    assert (summary.failed, summary.exit_code) == (1, 1)
    assert len(taken) == 2


@pytest.fixture
def payment(shop: Shop) -> Iterator[Any]:
    """A pending payment, loaded in an app context."""
    add_many(shop, 1)

    with shop.app.app_context():
        yield shop.db.session.scalars(shop.db.select(shop.spayon.Payment)).one()


def test_refresh_asks_once_an_interval_however_often_it_is_called(
    shop: Shop, scripted: Gateway, payment: Any
) -> None:
    scripted.statuses = lambda each: Says(report(each, "pending"))

    for _ in range(5):
        shop.spayon.refresh(payment)

    shop.clock.step(5)
    shop.spayon.refresh(payment)

    assert scripted.asked == {"S1": 2}


def test_refresh_of_a_payment_that_was_removed_says_so(
    shop: Shop, scripted: Gateway, payment: Any
) -> None:
    shop.db.session.expunge(payment)
    shop.db.session.execute(shop.db.delete(shop.spayon.Payment))
    shop.db.session.commit()

    with pytest.raises(PaymentGoneError, match="not in the table"):
        shop.spayon.refresh(payment)

    assert scripted.asked == {}


def test_refresh_raises_where_spayon_gives_no_answer(
    shop: Shop, scripted: Gateway, payment: Any
) -> None:
    scripted.statuses = lambda _: Says(code=503)

    with pytest.raises(GatewayUnavailableError):
        shop.spayon.refresh(payment)


def test_the_summary_says_what_changed() -> None:
    summary = Summary(asked=5, unanswered=1, handed_over=2)
    summary.changed.update(["paid", "paid", "expired"])

    assert str(summary) == "asked 5; changed 1 expired, 2 paid; unanswered 1; handed over 2"
