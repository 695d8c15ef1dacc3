"""`flask spayon review`: a person decides, once, and is remembered."""

import json

import pytest

from tests.cli.conftest import Run
from tests.reports import report
from tests.shop import Shop

BECAUSE = ("--because", "the bank says so", "--by", "Ani")


@pytest.fixture
def shop(any_shop: Shop) -> Shop:
    """A shop on each of the three engines, with a payment under review."""
    any_shop.add_pending()
    any_shop.deliver(report(price="1"))
    any_shop.handled.clear()
    return any_shop


def test_what_is_under_review_is_listed(shop: Shop, run: Run) -> None:
    assert run("review").output.splitlines()[1].split() == [
        *("2026-11-22", "12:00:00", "A1", "price_differs", "1000", "AMD", "1", "AMD", "S1")
    ]
    assert [each["review"] for each in json.loads(run("review", "--json").output)] == [
        "price_differs"
    ]


def test_an_accepted_payment_is_paid_once_and_who_decided_is_kept(shop: Shop, run: Run) -> None:
    result = run("review", "S1", "--accept", *BECAUSE)
    again = run("review", "S1", "--accept", *BECAUSE)

    assert (result.exit_code, result.output) == (0, "order A1, payment session S1: paid\n")
    assert again.exit_code == 1
    assert "not under review, it is paid: Ani decided on 2026-11-22 12:00 UTC" in again.output
    payment = shop.payment()
    assert (payment.reviewed_by, payment.reviewed_because) == ("Ani", "the bank says so")
    assert (payment.reviewed_at, payment.review) == (shop.clock(), "price_differs")
    assert "by Ani: the bank says so" in run("show", "S1").output
    assert shop.paid_times() == 1
    assert shop.handled == [("A1", "paid")]


def test_a_refused_payment_is_failed_and_the_order_can_be_paid_again(shop: Shop, run: Run) -> None:
    run("review", "S1", "--refuse", *BECAUSE)

    payment = shop.payment()
    assert (payment.status, payment.held_order_id) == ("failed", None)
    assert shop.handled == [("A1", "failed")]


def test_a_later_callback_changes_nothing_any_more(shop: Shop, run: Run) -> None:
    run("review", "S1", "--accept", *BECAUSE)

    assert shop.deliver(report()) == 200
    assert shop.deliver(report(status="failed")) == 200
    assert shop.payment().status == "paid"
    assert shop.paid_times() == 1


def test_a_handler_that_fails_leaves_the_payment_under_review(shop: Shop, run: Run) -> None:
    shop.handle = lambda *_: 1 / 0

    result = run("review", "S1", "--accept", *BECAUSE)

    assert result.exit_code == 1
    assert "the handler failed" in result.output
    payment = shop.payment()
    assert (payment.status, payment.reviewed_by) == ("review", None)
    assert shop.paid_times() == 0


def test_an_accepted_payment_displaces_one_that_is_still_pending(shop: Shop, run: Run) -> None:
    run("review", "S1", "--refuse", *BECAUSE)
    shop.add_payment("S2", held_order_id=None, superseded=True)
    shop.deliver(report("S2"))
    shop.add_payment("S3")

    assert run("review", "S2", "--accept", *BECAUSE).exit_code == 0

    assert shop.payment("S3").held_order_id is None
    assert shop.paid_times() == 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("S1", 64),
        ("S1 --accept", 64),
        ("S1 --because x", 64),
        ("S1 --accept --because=", 64),
        ("S1 --accept --refuse --because x", 64),
        ("--accept --because x", 64),
        ("S9 --accept --because x", 1),
    ],
)
def test_a_decision_needs_a_session_that_there_is_a_word_and_a_reason(
    shop: Shop, run: Run, arguments: str, code: int
) -> None:
    assert run("review", *arguments.split()).exit_code == code
    assert shop.payment().status == "review"
