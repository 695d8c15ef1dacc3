"""A worker that dies, wherever it is: one effect, no stuck row, no manual step."""

import os
import signal
import threading

import pytest
from sqlalchemy import update

from spayon_flask.simulator import Simulator
from tests.crashes.app import POINTS
from tests.crashes.conftest import Crashing
from tests.promises.helpers import at_once, order, start
from tests.reports import report
from tests.shop import Shop

pytestmark = pytest.mark.thorough


class TestKilledWorkers:
    """Real workers of gunicorn, ended by SIGKILL while they wait at a known point."""

    @pytest.mark.parametrize("point", POINTS)
    def test_a_redelivery_heals_what_a_killed_worker_left(
        self, crash: Crashing, point: str
    ) -> None:
        crash.shop.add_pending()

        assert _deliver_and_kill(crash, point, report()) is None
        assert crash.server.deliver(report()) == 200

        _has_one_effect(crash)

    @pytest.mark.parametrize("point", POINTS)
    def test_reconcile_heals_what_a_killed_worker_left(
        self, crash: Crashing, gateway_of_crash: Simulator, point: str
    ) -> None:
        crash.shop.add_order()
        session_id = start(crash.shop, order()).session_id
        gateway_of_crash.hold_callbacks()
        gateway_of_crash.pay(session_id, wait=False)
        body = gateway_of_crash.deliveries.of(session_id)[0].body

        assert _deliver_and_kill(crash, point, body) is None

        with crash.shop.app.app_context():
            # A run leaves out what is locked, and the database may not have noticed the death yet.
            _wait_for_locks(crash.shop)
            crash.shop.spayon.reconcile()

        _has_one_effect(crash)

    def test_a_row_is_whole_or_not_there_at_the_moment_of_the_kill(self, crash: Crashing) -> None:
        for number, point in enumerate(POINTS):
            order_id, session_id = f"A{number}", f"S{number}"
            crash.shop.add_order(order_id)
            crash.shop.add_payment(session_id, order_id)
            _deliver_and_kill(crash, point, report(session_id, orderId=order_id))

        committed = [crash.shop.payment(f"S{number}").status for number in range(4)]
        assert committed == ["pending", "pending", "paid", "paid"]
        assert [crash.shop.paid_times(f"A{number}") for number in range(4)] == [0, 0, 1, 1]
        assert [row.session_id for row in crash.shop.callbacks()] == ["S2", "S3"]

    def test_fifty_simultaneous_deliveries_get_fifty_answers_and_have_one_effect(
        self, crash: Crashing
    ) -> None:
        crash.shop.add_pending()

        answers = at_once([lambda: crash.server.deliver(report())] * 50)

        assert answers == [200] * 50
        assert crash.shop.paid_times() == 1
        assert [row.verdict for row in crash.shop.callbacks()] == ["applied"]
        assert crash.jobs() == [crash.shop.callbacks()[0].id]

    def test_duplicates_wait_for_a_slow_handler_and_are_answered_200(self, crash: Crashing) -> None:
        crash.shop.add_pending()
        crash.gate.shut("in the handler")
        answers: list[int | None] = []
        threads = [
            threading.Thread(target=lambda: answers.append(crash.server.deliver(report())))
            for _ in range(2)
        ]
        threads[0].start()
        first = crash.gate.wait()
        crash.gate.open("in the handler")
        threads[1].start()
        first.let_go()

        for thread in threads:
            thread.join(30)

        assert answers == [200, 200]
        assert crash.shop.paid_times() == 1


def _deliver_and_kill(crash: Crashing, point: str, body: bytes) -> int | None:
    """Return the answer to *body*, whose worker is killed at *point*."""
    crash.gate.shut(point)
    answers: list[int | None] = []
    delivery = threading.Thread(target=lambda: answers.append(crash.server.deliver(body)))
    delivery.start()
    waiting = crash.gate.wait()
    crash.gate.open(point)
    os.kill(waiting.pid, signal.SIGKILL)
    delivery.join(30)
    waiting.let_go()
    return answers[0]


def _wait_for_locks(shop: Shop) -> None:
    """Return once nobody holds a payment."""
    payments = shop.spayon.Payment
    shop.db.session.execute(update(payments).values(attempts=payments.attempts))
    shop.db.session.rollback()


def _has_one_effect(crash: Crashing) -> None:
    """Assert that order A1 is paid once, and that nothing is left to be done by anybody."""
    shop = crash.shop
    (row,) = shop.callbacks()
    assert row.verdict == "applied"
    assert shop.payment(row.session_id).status == "paid"
    assert shop.paid_times() == 1

    # Ten minutes later, whatever was not handed over has been.
    shop.clock.step(600)
    with shop.app.app_context():
        shop.spayon.reconcile()
        shop.clock.step(3600)
        assert shop.spayon.reconcile().handed_over == 0

    assert set(crash.jobs()) == {row.id}
    assert shop.callbacks()[0].dispatch_at is None
