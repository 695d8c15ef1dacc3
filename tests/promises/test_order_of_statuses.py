"""Promise 3: `pending` < `failed`, `expired` < `paid`, `review`, in whatever order they come."""

from itertools import permutations

import pytest

from tests.promises.helpers import at_once
from tests.reports import report
from tests.shop import Shop

STATUSES = ("pending", "failed", "expired", "paid")

#: Reports in the order in which they come, then the verdict on each, and the status at the end.
COURSES = [
    (["paid"], ["applied"], "paid"),
    (["pending"], ["unchanged"], "pending"),
    (["pending", "paid"], ["unchanged", "applied"], "paid"),
    (["failed", "expired"], ["applied", "stale"], "failed"),
    (["expired", "failed"], ["applied", "stale"], "expired"),
    (["failed", "pending"], ["applied", "stale"], "failed"),
    (["failed", "paid"], ["applied", "applied"], "paid"),
    (["expired", "paid"], ["applied", "applied"], "paid"),
    (["paid", "failed"], ["applied", "stale"], "paid"),
    (["paid", "expired", "pending"], ["applied", "stale", "stale"], "paid"),
    (["refunded"], ["ignored"], "pending"),
    (["x" * 65], ["ignored"], "pending"),
    (["paid" + " " * 60 + "x", "paid"], ["ignored", "applied"], "paid"),
    (["paid", "refunded"], ["applied", "ignored"], "paid"),
    (["PAID", "paid"], ["ignored", "applied"], "paid"),
]


@pytest.mark.parametrize(("told", "verdicts", "status"), COURSES, ids=str)
def test_each_report_has_its_verdict(
    pending_shop: Shop, told: list[str], verdicts: list[str], status: str
) -> None:
    assert [pending_shop.deliver(report(status=each)) for each in told] == [200] * len(told)

    assert [row.verdict for row in pending_shop.callbacks()] == verdicts
    assert pending_shop.payment().status == status
    applied = [each for each, verdict in zip(told, verdicts, strict=True) if verdict == "applied"]
    assert pending_shop.handled == [("A1", each) for each in applied]


def test_paid_wins_in_every_order_of_arrival(any_shop: Shop) -> None:
    orders = [f"A{number}" for number in range(24)]

    for order_id, told in zip(orders, permutations(STATUSES), strict=True):
        any_shop.add_order(order_id)
        any_shop.add_payment(f"S-{order_id}", order_id)

        for status in told:
            any_shop.deliver(report(f"S-{order_id}", status, orderId=order_id))

    assert [any_shop.paid_times(order_id) for order_id in orders] == [1] * 24
    assert {any_shop.payment(f"S-{order_id}").status for order_id in orders} == {"paid"}

    lesser = [order_id for order_id, status in any_shop.handled if status != "paid"]
    assert len(lesser) == len(set(lesser))


@pytest.mark.always
def test_paid_wins_when_all_statuses_arrive_at_once(pending_shop: Shop, twin: Shop) -> None:
    shops = [pending_shop, twin]
    calls = [
        lambda s=shop, t=status: s.deliver(report(status=t))
        for status in STATUSES
        for shop in shops
    ]

    assert at_once(calls) == [200] * 8

    assert pending_shop.payment().status == "paid"
    assert pending_shop.paid_times() == 1
    assert sorted(row.status for row in pending_shop.callbacks()) == sorted(STATUSES)


@pytest.mark.always
def test_nothing_that_spayon_says_moves_a_payment_out_of_review(pending_shop: Shop) -> None:
    pending_shop.deliver(report(price="1"))

    for status in ("paid", "failed", "expired", "pending"):
        assert pending_shop.deliver(report(status=status)) == 200

    assert pending_shop.payment().status == "review"
    assert pending_shop.handled == [("A1", "review")]


def test_a_late_paid_counts_although_the_order_has_been_let_go(pending_shop: Shop) -> None:
    pending_shop.deliver(report(status="expired"))
    assert pending_shop.payment().held_order_id is None

    pending_shop.deliver(report())

    assert pending_shop.payment().held_order_id == "A1"
    assert pending_shop.paid_times() == 1
