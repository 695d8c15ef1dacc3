"""`flask spayon payments` and `show`: what an operator sees."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from tests.cli.conftest import Run
from tests.reports import report
from tests.shop import Shop


def test_payments_are_listed_newest_first(shop: Shop, run: Run) -> None:
    shop.add_payment("S1", status="failed", held_order_id=None)
    shop.clock.step(60)
    shop.add_payment("S2", price=Decimal("9.5"))

    lines = run("payments").output.splitlines()

    assert lines[0].split() == [
        "CREATED",
        "(UTC)",
        "ORDER",
        "STATUS",
        "PRICE",
        "PAYMENT",
        "SESSION",
    ]
    assert lines[1] == "2026-11-22 12:01:00  A1     pending  9.5 AMD   S2"
    assert lines[2] == "2026-11-22 12:00:00  A1     failed   1000 AMD  S1"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--status", "failed"), ["S1"]),
        (("--order", "A2"), ["S3"]),
        (("--since", "90s"), None),
        (("--since", "1h"), ["S3", "S2"]),
        (("--since", "2026-11-22T12:00:00Z"), ["S3", "S2"]),
        (("--since", "2026-11-22"), ["S3", "S2"]),
        (("--since", "2026-11-21"), ["S3", "S2", "S1"]),
        (("--limit", "1"), ["S3"]),
    ],
)
def test_payments_can_be_narrowed_down(
    shop: Shop, run: Run, arguments: tuple[str, ...], expected: list[str] | None
) -> None:
    shop.add_order("A2")
    shop.clock.step(-3 * 3600 * 5)
    shop.add_payment("S1", status="failed", held_order_id=None)
    shop.clock.step(3 * 3600 * 5)
    shop.add_payment("S2")
    shop.add_payment("S3", order_id="A2")

    result = run("payments", "--json", *arguments)

    if expected is None:
        assert result.exit_code == 2
        assert "neither a date" in result.output

    else:
        assert [each["session_id"] for each in json.loads(result.output)] == expected


def test_payments_as_json_keep_prices_exact_and_times_in_utc(shop: Shop, run: Run) -> None:
    shop.add_payment(price=Decimal("12345678901.23"))

    (payment,) = json.loads(run("payments", "--json").output)

    assert payment["price"] == "12345678901.23"
    assert payment["created_at"] == "2026-11-22T12:00:00+00:00"


def test_a_payment_that_was_never_answered_says_so(shop: Shop, run: Run) -> None:
    shop.add_payment(None)

    assert "(never answered)" in run("payments").output


def test_a_payment_under_review_tells_the_reason(shop: Shop, run: Run) -> None:
    shop.add_payment()
    shop.deliver(report(price="1"))

    assert "review: price_differs" in run("payments").output


def test_without_payments_that_is_said(run: Run) -> None:
    assert run("payments").output == "no payments\n"
    assert json.loads(run("payments", "--json").output) == []


def test_a_payment_of_another_account_is_not_listed(shop: Shop, run: Run) -> None:
    shop.add_payment(account="museum")

    assert run("payments").output == "no payments\n"


def test_show_tells_a_payment_and_what_came_in_order(shop: Shop, run: Run) -> None:
    shop.add_payment()
    shop.deliver(report(status="pending"))
    shop.clock.step(60)
    shop.deliver(
        report(
            status="failed",
            declineReasons=[{"transactionId": 1, "responseCode": "05", "responseReasonEn": "No"}],
        )
    )
    shop.clock.step(60)
    shop.deliver(report(status="expired"))

    output = run("show", "S1").output

    assert "order            A1" in output
    assert "declined         05 No" in output
    told = [line.split()[2:] for line in output.splitlines()[-3:]]
    assert told == [
        ["callback", "pending", "unchanged"],
        ["callback", "failed", "applied"],
        ["callback", "expired", "stale"],
    ]


def test_show_takes_a_reference_too(shop: Shop, run: Run) -> None:
    shop.add_payment()

    assert "payment session  S1" in run("show", "reference-of-S1-A1").output


def test_show_as_json_holds_the_exact_body(shop: Shop, run: Run) -> None:
    shop.add_payment()
    shop.deliver(report())

    shown = json.loads(run("show", "S1", "--json").output)

    assert shown["payment"]["status"] == "paid"
    assert shown["callbacks"][0]["body"] == report().decode()
    assert shown["callbacks"][0]["verdict"] == "applied"


def test_show_finds_reports_about_a_payment_session_that_nobody_knows(shop: Shop, run: Run) -> None:
    shop.deliver(report("S9", orderId="A9"))

    output = run("show", "S9").output

    assert "No payment of ours" in output
    assert "unknown" in output


def test_show_says_that_there_is_no_such_session(run: Run) -> None:
    result = run("show", "S9")

    assert result.exit_code == 1
    assert "flask spayon payments" in result.output
