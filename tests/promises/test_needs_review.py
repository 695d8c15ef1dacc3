"""Promise 2 for goods that cannot be given out: a person hears of it, and nothing else is kept."""

import contextlib
import logging
from typing import Any

import pytest

from spayon_flask import NeedsReview, ReviewError
from tests.gateway import Gateway, Says
from tests.promises.helpers import Fleet
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


def _settle(shop: Shop, *, accept: bool) -> None:
    with shop.app.app_context():
        shop.spayon.state.storage.decisions.settle(
            shop.payment().id, accept=accept, by="Ani", because="seen", now=shop.clock()
        )


def _price(shop: Shop) -> str:
    with shop.app.app_context():
        return str(shop.db.session.get_one(shop.orders, "A1").price)


class TestNeedsReview:
    """`raise NeedsReview("order cancelled")`."""

    def test_what_the_handler_wrote_is_undone_and_a_person_is_asked(self, any_shop: Shop) -> None:
        any_shop.add_pending()
        _refuse(any_shop)

        assert any_shop.deliver(report()) == 200

        payment = any_shop.payment()
        assert (payment.status, payment.review) == ("review", "order cancelled")
        assert (payment.reported_price, payment.reported_currency) == (1000, "AMD")
        assert payment.paid_at is not None
        assert (any_shop.paid_times(), _price(any_shop)) == (0, "1000")
        assert any_shop.handled == [("A1", "paid"), ("A1", "review")]
        assert [row.verdict for row in any_shop.callbacks()] == ["review"]

    def test_the_next_delivery_asks_nobody_again(self, any_shop: Shop) -> None:
        any_shop.add_pending()
        _refuse(any_shop)
        any_shop.deliver(report())
        any_shop.handled.clear()

        assert any_shop.deliver(report()) == 200
        assert any_shop.handled == []

    def test_on_review_writes_in_the_same_transaction(self, any_shop: Shop) -> None:
        any_shop.add_pending()

        def handle(status: str, _: object) -> None:
            if status == "paid":
                raise NeedsReview("no stock")

            any_shop.db.session.get_one(any_shop.orders, "A1").price = "5"

        any_shop.handle = handle
        any_shop.deliver(report())

        assert _price(any_shop) == "5"

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
    def test_a_reason_is_any_text(self, any_shop: Shop, reason: str, stored: str) -> None:
        any_shop.add_pending()
        _refuse(any_shop, reason)

        assert any_shop.deliver(report()) == 200
        assert any_shop.payment().review == stored

    @pytest.mark.parametrize("status", ["failed", "expired"])
    def test_elsewhere_it_is_an_error_like_any_other(self, any_shop: Shop, status: str) -> None:
        any_shop.add_pending()
        _refuse(any_shop, on=status)

        assert any_shop.deliver(report(status=status)) == 500
        assert any_shop.payment().status == "pending"
        assert any_shop.callbacks() == []

        # Somebody who pays with another card gets the goods.
        assert any_shop.deliver(report()) == 200
        assert (any_shop.payment().status, any_shop.paid_times()) == ("paid", 1)

    def test_a_status_check_asks_for_a_person_too(self, any_shop: Shop, fleet: Fleet) -> None:
        with Gateway() as gateway:
            gateway.statuses = lambda each: Says(report(each))
            asking = fleet.join(any_shop, SPAYON_API_URL=gateway.url)
            any_shop.add_pending(gateway=asking.gateway)
            _refuse(asking)

            with asking.app.app_context():
                assert asking.spayon.reconcile().changed == {"review": 1}

    def test_a_handler_of_the_review_that_asks_for_a_review_has_failed(
        self, any_shop: Shop
    ) -> None:
        any_shop.add_pending()

        # One function for both, as shops have it.
        def handle(*_: object) -> None:
            raise NeedsReview("order cancelled")

        any_shop.handle = handle
        assert _fail_for_days(any_shop) == [500, 500, 500, 500, 200]

        # In the end a person hears of it all the same.
        assert any_shop.payment().review == "order cancelled"

    def test_a_failing_handler_of_the_review_undoes_all(self, any_shop: Shop) -> None:
        any_shop.add_pending()

        any_shop.handle = _refuse_and_fail
        assert any_shop.deliver(report()) == 500
        assert (any_shop.payment().status, any_shop.callbacks()) == ("pending", [])

    @pytest.mark.parametrize("end", ["commit", "rollback"])
    def test_a_handler_that_meddles_first_is_a_failed_one(
        self, any_shop: Shop, end: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        any_shop.add_pending()

        def handle(*_: object) -> None:
            with contextlib.suppress(Exception):
                getattr(any_shop.db.session, end)()

            raise NeedsReview("order cancelled")

        any_shop.handle = handle

        with caplog.at_level(logging.ERROR):
            assert any_shop.deliver(report()) == 500

        assert "must neither commit, roll back nor close" in caplog.text
        assert (any_shop.payment().status, any_shop.callbacks()) == ("pending", [])

    def test_a_person_is_told_if_the_goods_still_cannot_be_given_out(self, any_shop: Shop) -> None:
        any_shop.add_pending()
        any_shop.deliver(report(price="1"))
        _refuse(any_shop)

        with pytest.raises(ReviewError, match="order cancelled"):
            _settle(any_shop, accept=True)

        payment = any_shop.payment()
        assert (payment.status, payment.review) == ("review", "price_differs")
        assert (payment.reviewed_by, _price(any_shop)) == (None, "1000")

        any_shop.handle = None
        _settle(any_shop, accept=True)
        assert any_shop.payment().status == "paid"


class TestHandlersThatFailForDays:
    """The money is there, the goods are not: a person hears of it."""

    def _fail(self, shop: Shop, *statuses: str) -> None:
        def handle(status: str, _: object) -> None:
            if status in statuses:
                raise RuntimeError("no such order")

        shop.handle = handle

    @pytest.mark.parametrize("session_id", ["S1", None], ids=["known", "answer lost"])
    def test_after_days_of_failures_the_payment_goes_to_review(
        self, any_shop: Shop, session_id: str | None
    ) -> None:
        any_shop.add_pending(session_id)
        self._fail(any_shop, "paid")

        assert _fail_for_days(any_shop) == [500, 500, 500, 500, 200]

        payment = any_shop.payment()
        assert (payment.status, payment.review) == ("review", "handler_failed")
        assert any_shop.handled[-2:] == [("A1", "paid"), ("A1", "review")]
        assert any_shop.paid_times() == 0

    def test_how_often_and_with_what_it_failed_is_kept(self, any_shop: Shop) -> None:
        any_shop.add_pending()
        self._fail(any_shop, "paid")
        began = any_shop.clock()

        for _ in range(2):
            assert any_shop.deliver(report()) == 500
            any_shop.clock.step(3600)

        payment = any_shop.payment()
        assert (payment.handler_failures, payment.handler_failed_at) == (2, began)
        assert payment.handler_error.startswith("RuntimeError, at test_needs_review.py:")
        assert "no such order" not in payment.handler_error

        any_shop.handle = None
        assert any_shop.deliver(report()) == 200
        payment = any_shop.payment()
        assert (payment.handler_failures, payment.handler_error) == (0, None)

    def test_an_old_payment_whose_handler_fails_for_the_first_time_is_tried_again(
        self, any_shop: Shop
    ) -> None:
        any_shop.add_pending(attempts=50)
        self._fail(any_shop, "paid")
        any_shop.clock.step(30 * 24 * 3600)

        assert any_shop.deliver(report()) == 500
        assert any_shop.payment().status == "pending"

    @pytest.mark.parametrize("status", ["failed", "expired"])
    def test_an_end_whose_handler_fails_leaves_the_payment_as_it_was(
        self, any_shop: Shop, status: str
    ) -> None:
        any_shop.add_pending()
        self._fail(any_shop, status)

        assert _fail_for_days(any_shop, status) == [500] * 5

        payment = any_shop.payment()
        assert (payment.status, payment.handler_failures) == ("pending", 5)
        assert payment.due_at is not None

    def test_the_payment_of_another_account_does_not_count(self, any_shop: Shop) -> None:
        any_shop.add_pending(None)
        any_shop.add_payment(
            None, handler_failures=9, account="other", reference="of-another", held_order_id=None
        )
        self._fail(any_shop, "paid")

        assert any_shop.deliver(report()) == 500
        assert any_shop.payment().handler_failures == 1

    def test_a_failing_handler_of_the_review_keeps_nobody_from_hearing_of_it(
        self, any_shop: Shop
    ) -> None:
        any_shop.add_pending()
        self._fail(any_shop, "paid", "review")

        assert _fail_for_days(any_shop)[-1] == 200
        assert any_shop.payment().review == "handler_failed"

    def test_a_review_of_the_money_guard_keeps_its_reason(self, any_shop: Shop) -> None:
        any_shop.add_pending(price="1001")
        self._fail(any_shop, "review")

        assert _fail_for_days(any_shop) == [500, 500, 500, 500, 200]
        assert any_shop.payment().review == "price_differs"

    def test_nor_if_the_handler_of_the_payment_asked_for_the_review(self, any_shop: Shop) -> None:
        any_shop.add_pending()
        any_shop.handle = _refuse_and_fail

        assert _fail_for_days(any_shop)[-1] == 200
        assert any_shop.payment().review == "no stock"

    def test_until_then_reconcile_can_ask_even_if_the_answer_was_lost(self, any_shop: Shop) -> None:
        any_shop.add_pending(None)
        any_shop.handle = _refuse_and_fail
        any_shop.clock.step(60)

        assert any_shop.deliver(report()) == 500

        payment = any_shop.payment("S1")
        assert (payment.status, payment.due_at) == ("pending", any_shop.clock())
        assert any_shop.callbacks() == []

    @pytest.mark.parametrize(
        ("days", "times"), [(2.9, 9), (30, 4)], ids=["not for long", "not often"]
    )
    def test_until_then_it_is_tried_again(self, any_shop: Shop, days: float, times: int) -> None:
        any_shop.add_pending()
        self._fail(any_shop, "paid")

        assert set(_fail_for_days(any_shop, days=days, times=times)) == {500}
        assert any_shop.payment().status == "pending"

        any_shop.handle = None
        assert any_shop.deliver(report()) == 200
        assert any_shop.paid_times() == 1

    def test_it_is_settled_like_any_other(self, any_shop: Shop) -> None:
        any_shop.add_pending()
        self._fail(any_shop, "paid")
        _fail_for_days(any_shop)
        any_shop.handle = None

        _settle(any_shop, accept=True)

        assert any_shop.payment().status == "paid"
        assert any_shop.paid_times() == 1

    def test_reconcile_gets_there_by_itself(self, any_shop: Shop, fleet: Fleet) -> None:
        with Gateway() as gateway:
            gateway.statuses = lambda each: Says(report(each))
            asking = fleet.join(any_shop, SPAYON_API_URL=gateway.url)
            any_shop.add_pending(gateway=asking.gateway)
            self._fail(asking, "paid")

            for _hour in range(4 * 24):
                asking.clock.step(3600)

                with asking.app.app_context():
                    asking.spayon.reconcile(jobs=1)

            assert any_shop.payment().review == "handler_failed"


def _fail_for_days(
    shop: Shop, status: str = "paid", *, days: float = 3, times: int = 5
) -> list[int]:
    """Deliver a report so often, the last time after so many days; return the answers."""
    answers = [shop.deliver(report(status=status)) for _ in range(times - 1)]
    shop.clock.step(days * 24 * 3600)
    return [*answers, shop.deliver(report(status=status))]
