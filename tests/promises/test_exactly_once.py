"""Promise 2: the report, the status and what the handler writes, together and once."""

from typing import Any

import pytest
from sqlalchemy import update

from spayon_flask import HandlerError
from spayon_flask.simulator import Simulator
from tests.promises.helpers import (
    Fleet,
    at_once,
    counts_once_mended,
    dialect,
    fail,
    is_undone,
    just_before,
    paid_in_silence,
    refresh,
    statements,
)
from tests.reports import report
from tests.shop import Shop

#: The statement of all deliveries of one report that only one can execute.
CLAIM = "INSERT INTO spayon_callback"


def test_deliveries_one_after_the_other_have_one_effect(pending_shop: Shop) -> None:
    assert [pending_shop.deliver(report()) for _ in range(5)] == [200] * 5

    assert pending_shop.paid_times() == 1
    assert pending_shop.handled == [("A1", "paid")]
    assert len(pending_shop.callbacks()) == 1


def test_a_repetition_writes_nothing_whatever_the_payment_says_by_now(pending_shop: Shop) -> None:
    pending_shop.deliver(report())

    with pending_shop.app.app_context():
        # By somebody's own hand: a payment that was paid is none that waits.
        pending_shop.db.session.execute(
            update(pending_shop.spayon.Payment).values(status="pending")
        )
        pending_shop.db.session.commit()

    assert pending_shop.deliver(report()) == 200
    assert pending_shop.payment().status == "pending"
    assert pending_shop.paid_times() == 1


@pytest.mark.always
def test_simultaneous_deliveries_to_several_instances_have_one_effect(
    pending_shop: Shop, fleet: Fleet
) -> None:
    instances = [pending_shop, fleet.join(pending_shop), fleet.join(pending_shop)]
    calls = [lambda s=instance: s.deliver(report()) for instance in instances * 4]

    assert at_once(calls) == [200] * 12

    assert pending_shop.paid_times() == 1
    assert [row.verdict for row in pending_shop.callbacks()] == ["applied"]


def test_a_callback_and_a_status_check_at_once_have_one_effect(
    any_shop: Shop, gateway: Simulator, payment: Any, twin: Shop
) -> None:
    body = paid_in_silence(gateway, payment.session_id)

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
    pending_shop: Shop, twin: Shop
) -> None:

    with just_before(pending_shop, CLAIM, lambda: twin.deliver(report())):
        assert pending_shop.deliver(report()) == 200

    assert pending_shop.handled == []
    assert twin.handled == [("A1", "paid")]
    assert pending_shop.paid_times() == 1


def test_a_report_that_another_one_overtakes_is_judged_anew(pending_shop: Shop, twin: Shop) -> None:
    # PostgreSQL claims and looks up at once. SQLite has but one writer from the claim on.
    point = "UPDATE spayon_payment" if dialect(pending_shop) == "postgresql" else CLAIM

    with just_before(pending_shop, point, lambda: twin.deliver(report())):
        assert pending_shop.deliver(report(status="failed")) == 200

    assert pending_shop.payment().status == "paid"
    verdicts = {row.status: row.verdict for row in pending_shop.callbacks()}
    assert verdicts == {"paid": "applied", "failed": "stale"}
    assert pending_shop.handled == []


@pytest.mark.always
def test_a_handler_that_raises_leaves_nothing_and_runs_again(
    pending_shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    is_undone(pending_shop, fail)
    assert "the handler failed with RuntimeError" in caplog.text
    # An error of the handler's own is not tried again by ourselves.
    assert pending_shop.handled == [("A1", "paid")]
    counts_once_mended(pending_shop)


def test_a_status_check_starts_clean_after_a_handler_that_raised(
    any_shop: Shop, gateway: Simulator, payment: Any
) -> None:
    any_shop.handle = fail
    # For mypy: it has a session by now.
    assert gateway.pay(payment.session_id).status_code == 500  # type: ignore[union-attr]

    with pytest.raises(HandlerError):
        refresh(any_shop, payment.session_id)

    assert any_shop.payment(payment.session_id).status == "pending"

    any_shop.handle = None
    any_shop.clock.step(6)
    assert refresh(any_shop, payment.session_id) == "paid"
    assert any_shop.paid_times() == 1


def test_every_handler_of_a_status_runs_or_none_counts(pending_shop: Shop) -> None:
    ran = []

    @pending_shop.spayon.on_paid
    def second(_: object) -> None:
        ran.append("second")

        if len(ran) == 1:
            raise RuntimeError

    assert [pending_shop.deliver(report()) for _ in range(3)] == [500, 200, 200]
    assert ran == ["second", "second"]
    assert pending_shop.paid_times() == 1


def test_a_duplicate_takes_no_id(pending_shop: Shop) -> None:
    for status in ("pending", "paid"):
        for _ in range(3):
            assert pending_shop.deliver(report(status=status)) == 200

    first, second = (row.id for row in pending_shop.callbacks())
    assert second == first + 1


def test_a_duplicate_costs_one_statement(pending_shop: Shop) -> None:
    pending_shop.deliver(report())

    with statements(pending_shop) as executed:
        assert pending_shop.deliver(report()) == 200

    assert len(executed) == 1


@pytest.mark.always
def test_a_first_delivery_costs_at_most_three_statements_beside_the_shops_own(
    pending_shop: Shop,
) -> None:
    with statements(pending_shop) as executed:
        assert pending_shop.deliver(report()) == 200

    around = ("COMMIT", "SAVEPOINT", "RELEASE")
    ours = [sql for sql in executed if "shop_order" not in sql and sql.split()[0] not in around]
    assert len(ours) <= 3
