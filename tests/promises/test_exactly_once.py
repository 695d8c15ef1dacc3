"""Promise 2: the report, the status and what the handler writes, together and once."""

import logging

import pytest
from sqlalchemy import update

from spayon_flask import HandlerError
from spayon_flask.simulator import Simulator
from tests.promises.helpers import (
    Fleet,
    at_once,
    dialect,
    just_before,
    order,
    refresh,
    start,
    statements,
)
from tests.reports import report
from tests.shop import Shop

#: The statement of all deliveries of one report that only one can execute.
CLAIM = "INSERT INTO spayon_callback"


class TestExactlyOnce:
    """However often, in whatever number at the same time, and whatever the handler does."""

    def test_deliveries_one_after_the_other_have_one_effect(self, any_shop: Shop) -> None:
        any_shop.add_pending()

        assert [any_shop.deliver(report()) for _ in range(5)] == [200] * 5

        assert any_shop.paid_times() == 1
        assert any_shop.handled == [("A1", "paid")]
        assert len(any_shop.callbacks()) == 1

    def test_a_repetition_writes_nothing_whatever_the_payment_says_by_now(
        self, any_shop: Shop
    ) -> None:
        any_shop.add_pending()
        any_shop.deliver(report())

        with any_shop.app.app_context():
            # By somebody's own hand: a payment that was paid is none that waits.
            any_shop.db.session.execute(update(any_shop.spayon.Payment).values(status="pending"))
            any_shop.db.session.commit()

        assert any_shop.deliver(report()) == 200
        assert any_shop.payment().status == "pending"
        assert any_shop.paid_times() == 1

    @pytest.mark.always
    def test_simultaneous_deliveries_to_several_instances_have_one_effect(
        self, any_shop: Shop, fleet: Fleet
    ) -> None:
        any_shop.add_pending()
        instances = [any_shop, fleet.join(any_shop), fleet.join(any_shop)]
        calls = [lambda s=instance: s.deliver(report()) for instance in instances * 4]

        assert at_once(calls) == [200] * 12

        assert any_shop.paid_times() == 1
        assert [row.verdict for row in any_shop.callbacks()] == ["applied"]

    def test_a_callback_and_a_status_check_at_once_have_one_effect(
        self, any_shop: Shop, gateway: Simulator, fleet: Fleet
    ) -> None:
        any_shop.add_order()
        payment = start(any_shop, order())
        gateway.hold_callbacks()
        gateway.pay(payment.session_id, wait=False)
        body = gateway.deliveries.of(payment.session_id)[0].body
        twin = fleet.join(any_shop)

        answers = at_once(
            [
                lambda: str(any_shop.deliver(body)),
                lambda: refresh(twin, payment.session_id),
                lambda: str(twin.deliver(body)),
            ]
        )

        assert answers == ["200", "paid", "200"]
        assert any_shop.paid_times() == 1
        assert len(any_shop.callbacks()) == 1

    @pytest.mark.always
    def test_a_delivery_that_its_duplicate_overtakes_has_no_effect(
        self, any_shop: Shop, fleet: Fleet
    ) -> None:
        any_shop.add_pending()
        twin = fleet.join(any_shop)

        with just_before(any_shop, CLAIM, lambda: twin.deliver(report())):
            assert any_shop.deliver(report()) == 200

        assert any_shop.handled == []
        assert twin.handled == [("A1", "paid")]
        assert any_shop.paid_times() == 1

    def test_a_report_that_another_one_overtakes_is_judged_anew(
        self, any_shop: Shop, fleet: Fleet
    ) -> None:
        any_shop.add_pending()
        twin = fleet.join(any_shop)

        # PostgreSQL claims and looks up at once. SQLite has but one writer from the claim on.
        point = "UPDATE spayon_payment" if dialect(any_shop) == "postgresql" else CLAIM

        with just_before(any_shop, point, lambda: twin.deliver(report())):
            assert any_shop.deliver(report(status="failed")) == 200

        assert any_shop.payment().status == "paid"
        verdicts = {row.status: row.verdict for row in any_shop.callbacks()}
        assert verdicts == {"paid": "applied", "failed": "stale"}
        assert any_shop.handled == []

    @pytest.mark.always
    def test_a_handler_that_raises_leaves_nothing_and_runs_again(self, any_shop: Shop) -> None:
        any_shop.add_pending()
        any_shop.handle = _fail

        assert any_shop.deliver(report()) == 500

        assert any_shop.paid_times() == 0
        assert any_shop.payment().status == "pending"
        assert any_shop.callbacks() == []

        any_shop.handle = None
        assert any_shop.deliver(report()) == 200
        assert any_shop.paid_times() == 1

    def test_a_status_check_starts_clean_after_a_handler_that_raised(
        self, any_shop: Shop, gateway: Simulator
    ) -> None:
        any_shop.add_order()
        payment = start(any_shop, order())
        any_shop.handle = _fail
        # For mypy: it has a session by now.
        assert gateway.pay(payment.session_id).status_code == 500  # type: ignore[union-attr]

        with pytest.raises(HandlerError):
            refresh(any_shop, payment.session_id)

        assert any_shop.payment(payment.session_id).status == "pending"

        any_shop.handle = None
        any_shop.clock.step(6)
        assert refresh(any_shop, payment.session_id) == "paid"
        assert any_shop.paid_times() == 1

    def test_every_handler_of_a_status_runs_or_none_counts(self, any_shop: Shop) -> None:
        any_shop.add_pending()
        ran = []

        @any_shop.spayon.on_paid
        def second(_: object) -> None:
            ran.append("second")

            if len(ran) == 1:
                raise RuntimeError

        assert [any_shop.deliver(report()) for _ in range(3)] == [500, 200, 200]
        assert ran == ["second", "second"]
        assert any_shop.paid_times() == 1

    def test_a_duplicate_takes_no_id(self, any_shop: Shop) -> None:
        any_shop.add_pending()

        for status in ("pending", "paid"):
            for _ in range(3):
                assert any_shop.deliver(report(status=status)) == 200

        first, second = (row.id for row in any_shop.callbacks())
        assert second == first + 1

    def test_a_duplicate_costs_one_statement(self, any_shop: Shop) -> None:
        any_shop.add_pending()
        any_shop.deliver(report())

        with statements(any_shop) as executed:
            assert any_shop.deliver(report()) == 200

        assert len(executed) == 1

    @pytest.mark.always
    def test_a_first_delivery_costs_at_most_three_statements_beside_the_shops_own(
        self, any_shop: Shop
    ) -> None:
        any_shop.add_pending()

        with statements(any_shop) as executed:
            assert any_shop.deliver(report()) == 200

        around = ("COMMIT", "SAVEPOINT", "RELEASE")
        ours = [sql for sql in executed if "shop_order" not in sql and sql.split()[0] not in around]
        assert len(ours) <= 3

    def test_a_failing_handler_is_named_in_the_log(
        self, any_shop: Shop, caplog: pytest.LogCaptureFixture
    ) -> None:
        any_shop.add_pending()
        any_shop.handle = _fail

        with caplog.at_level(logging.ERROR):
            any_shop.deliver(report())

        assert "the handler failed with RuntimeError" in caplog.text


def _fail(_: str, __: object) -> None:
    raise RuntimeError("no goods left")
