"""Promise 2 for goods that cannot be given out: a person hears of it, and nothing else is kept."""

import contextlib
from typing import Any

import pytest

from spayon_flask import NeedsReview, ReviewError
from tests.promises.helpers import (
    counts_once_mended,
    fail,
    fail_for_days,
    is_undone,
    price_of,
    reconcile,
    settle,
)
from tests.reports import report
from tests.shop import Shop


def _refuse(shop: Shop, reason: str = "order cancelled", on: str = "paid") -> None:
    """Have the handler of *on* write something, and ask for a review."""

    def handle(status: str, payment: Any) -> None:
        if status == on:
            shop.db.session.get_one(shop.orders, payment.order_id).price = "9"
            shop.db.session.flush()
            raise NeedsReview(reason)

    shop.handle = handle


def _refuse_and_fail(status: str, _: object) -> None:
    """Ask for a review, whose own handler fails."""
    raise NeedsReview("no stock") if status == "paid" else RuntimeError


# `raise NeedsReview("order cancelled")`.


def test_what_the_handler_wrote_is_undone_and_a_person_is_asked(pending_shop: Shop) -> None:
    _refuse(pending_shop)

    assert pending_shop.deliver(report()) == 200

    payment = pending_shop.payment()
    assert (payment.status, payment.review) == ("review", "order cancelled")
    assert (payment.reported_price, payment.reported_currency) == (1000, "AMD")
    assert payment.paid_at is not None
    assert (pending_shop.paid_times(), price_of(pending_shop)) == (0, "1000")

    # The next delivery asks nobody again.
    assert pending_shop.deliver(report()) == 200
    assert pending_shop.handled == [("A1", "paid"), ("A1", "review")]
    assert [row.verdict for row in pending_shop.callbacks()] == ["review"]


def test_on_review_writes_in_the_same_transaction(pending_shop: Shop) -> None:
    def handle(status: str, _: object) -> None:
        if status == "paid":
            raise NeedsReview("no stock")

        pending_shop.db.session.get_one(pending_shop.orders, "A1").price = "5"

    pending_shop.handle = handle
    pending_shop.deliver(report())

    assert price_of(pending_shop) == "5"


@pytest.mark.parametrize(
    ("reason", "stored"),
    [
        ("x" * 300, "x" * 255),
        ("պատվերը չեղարկված է " * 30, ("պատվերը չեղարկված է " * 30)[:255].strip()),
        ("no\x00 stock\n", "no stock"),
        ("\ud800lone", "lone"),
        ("", "needs_review"),
        (" \t", "needs_review"),
    ],
    ids=["long", "Armenian", "control characters", "surrogate", "empty", "blank"],
)
def test_a_reason_is_any_text(pending_shop: Shop, reason: str, stored: str) -> None:
    _refuse(pending_shop, reason)

    assert pending_shop.deliver(report()) == 200
    assert pending_shop.payment().review == stored


@pytest.mark.parametrize("status", ["failed", "expired"])
def test_elsewhere_it_is_an_error_like_any_other(pending_shop: Shop, status: str) -> None:
    _refuse(pending_shop, on=status)

    assert pending_shop.deliver(report(status=status)) == 500
    assert pending_shop.payment().status == "pending"
    assert pending_shop.callbacks() == []

    # Somebody who pays with another card gets the goods.
    assert pending_shop.deliver(report()) == 200
    assert (pending_shop.payment().status, pending_shop.paid_times()) == ("paid", 1)


def test_a_status_check_asks_for_a_person_too(asking_shop: Shop) -> None:
    asking_shop.add_pending()
    _refuse(asking_shop)

    assert reconcile(asking_shop).changed == {"review": 1}


@pytest.mark.parametrize(
    ("handle", "price", "mended"), [(_refuse_and_fail, 1000, "paid"), (fail, 1001, "review")]
)
def test_a_failing_handler_of_the_review_undoes_all(
    any_shop: Shop, handle: Any, price: int, mended: str
) -> None:
    any_shop.add_pending(price=price)
    is_undone(any_shop, handle)

    any_shop.handle = None
    assert any_shop.deliver(report()) == 200
    assert any_shop.payment().status == mended


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_handler_that_meddles_first_is_a_failed_one(
    pending_shop: Shop, end: str, caplog: pytest.LogCaptureFixture
) -> None:
    def handle(*_: object) -> None:
        with contextlib.suppress(Exception):
            getattr(pending_shop.db.session, end)()

        raise NeedsReview("order cancelled")

    is_undone(pending_shop, handle)
    assert "must neither commit, roll back nor close" in caplog.text


def test_a_person_is_told_if_the_goods_still_cannot_be_given_out(pending_shop: Shop) -> None:
    pending_shop.deliver(report(price="1"))
    _refuse(pending_shop)

    with pytest.raises(ReviewError, match="order cancelled"):
        settle(pending_shop, accept=True)

    payment = pending_shop.payment()
    assert (payment.status, payment.review) == ("review", "price_differs")
    assert (payment.reviewed_by, price_of(pending_shop)) == (None, "1000")

    pending_shop.handle = None
    settle(pending_shop, accept=True)
    assert pending_shop.payment().status == "paid"


# The money is there, the goods are not: a person hears of it.


def _fail(shop: Shop, *statuses: str) -> None:
    """Have the handlers of *statuses* fail from now on."""

    def handle(status: str, _: object) -> None:
        if status in statuses:
            raise RuntimeError("no such order")

    shop.handle = handle


@pytest.mark.parametrize("session_id", ["S1", None], ids=["known", "answer lost"])
def test_after_days_of_failures_the_payment_goes_to_review(
    any_shop: Shop, session_id: str | None
) -> None:
    any_shop.add_pending(session_id)
    _fail(any_shop, "paid")

    assert fail_for_days(any_shop) == [500, 500, 500, 500, 200]

    payment = any_shop.payment()
    assert (payment.status, payment.review) == ("review", "handler_failed")
    assert any_shop.handled[-2:] == [("A1", "paid"), ("A1", "review")]
    assert any_shop.paid_times() == 0

    # It is settled like any other.
    any_shop.handle = None
    settle(any_shop, accept=True)
    assert (any_shop.payment().status, any_shop.paid_times()) == ("paid", 1)


def test_how_often_and_with_what_it_failed_is_kept(pending_shop: Shop) -> None:
    _fail(pending_shop, "paid")
    began = pending_shop.clock()

    for _ in range(2):
        assert pending_shop.deliver(report()) == 500
        pending_shop.clock.step(3600)

    payment = pending_shop.payment()
    assert (payment.handler_failures, payment.handler_failed_at) == (2, began)
    assert payment.handler_error.startswith("RuntimeError, at test_needs_review.py:")
    assert "no such order" not in payment.handler_error

    counts_once_mended(pending_shop)
    payment = pending_shop.payment()
    assert (payment.handler_failures, payment.handler_error) == (0, None)


def test_an_old_payment_whose_handler_fails_for_the_first_time_is_tried_again(
    any_shop: Shop,
) -> None:
    any_shop.add_pending(attempts=50)
    _fail(any_shop, "paid")
    any_shop.clock.step(30 * 24 * 3600)

    assert any_shop.deliver(report()) == 500
    assert any_shop.payment().status == "pending"


@pytest.mark.parametrize("status", ["failed", "expired"])
def test_an_end_whose_handler_fails_leaves_the_payment_as_it_was(
    pending_shop: Shop, status: str
) -> None:
    _fail(pending_shop, status)

    assert fail_for_days(pending_shop, status) == [500] * 5

    payment = pending_shop.payment()
    assert (payment.status, payment.handler_failures) == ("pending", 5)
    assert payment.due_at is not None


def test_the_payment_of_another_account_does_not_count(any_shop: Shop) -> None:
    any_shop.add_pending(None)
    any_shop.add_payment(
        None, handler_failures=9, account="other", reference="of-another", held_order_id=None
    )
    _fail(any_shop, "paid")

    assert any_shop.deliver(report()) == 500
    assert any_shop.payment().handler_failures == 1


def _ask_for_a_review(*_: object) -> None:
    """Serve as the handler of the payment and of the review, as shops have it."""
    raise NeedsReview("order cancelled")


@pytest.mark.parametrize(
    ("handle", "price", "reason"),
    [
        (fail, 1000, "handler_failed"),
        (fail, 1001, "price_differs"),
        (_refuse_and_fail, 1000, "no stock"),
        (_ask_for_a_review, 1000, "order cancelled"),
    ],
)
def test_a_failing_handler_of_the_review_keeps_nobody_from_hearing_of_it(
    any_shop: Shop, handle: Any, price: int, reason: str
) -> None:
    any_shop.add_pending(price=price)
    any_shop.handle = handle

    assert fail_for_days(any_shop) == [500, 500, 500, 500, 200]
    assert any_shop.payment().review == reason


def test_until_then_reconcile_can_ask_even_if_the_answer_was_lost(any_shop: Shop) -> None:
    any_shop.add_pending(None)
    any_shop.handle = _refuse_and_fail
    any_shop.clock.step(60)

    assert any_shop.deliver(report()) == 500

    payment = any_shop.payment("S1")
    assert (payment.status, payment.due_at) == ("pending", any_shop.clock())
    assert any_shop.callbacks() == []


@pytest.mark.parametrize(("days", "times"), [(2.9, 9), (30, 4)], ids=["not for long", "not often"])
def test_until_then_it_is_tried_again(pending_shop: Shop, days: float, times: int) -> None:
    _fail(pending_shop, "paid")

    assert set(fail_for_days(pending_shop, days=days, times=times)) == {500}
    assert pending_shop.payment().status == "pending"
    counts_once_mended(pending_shop)


def test_reconcile_gets_there_by_itself(asking_shop: Shop) -> None:
    asking_shop.add_pending()
    _fail(asking_shop, "paid")

    for _hour in range(4 * 24):
        asking_shop.clock.step(3600)
        reconcile(asking_shop, jobs=1)

    assert asking_shop.payment().review == "handler_failed"
