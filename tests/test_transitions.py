"""Transitions: what a report does to a payment."""

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from spayon_flask.domain.orders import attempt_id
from spayon_flask.domain.reports import Report
from spayon_flask.domain.transitions import (
    Transition,
    can_be_paid,
    decide,
    held_order,
    readable_reason,
)
from tests.reports import report


def payment(**fields: Any) -> Any:
    asked = {
        "status": "pending",
        "order_id": "A1",
        "reference": "reference",
        "product_id": None,
        "price": Decimal(1000),
        "currency": "AMD",
        "superseded": False,
    }
    return SimpleNamespace(**(asked | fields))


def verdict(known: str, status: str, **fields: Any) -> Transition:
    return decide(payment(status=known), Report.from_json(report(status=status, **fields)))


@pytest.mark.parametrize(
    ("known", "reported"),
    [
        ("pending", "failed"),
        ("pending", "expired"),
        ("pending", "paid"),
        ("failed", "paid"),
        ("expired", "paid"),
    ],
)
def test_a_later_status_applies(known: str, reported: str) -> None:
    assert verdict(known, reported) == Transition("applied", reported)


def test_a_paid_that_names_this_very_attempt_applies() -> None:
    own = attempt_id("A1", "reference")
    of_another = attempt_id("A1", "another reference")

    assert verdict("pending", "paid", orderId=own) == Transition("applied", "paid")
    assert verdict("pending", "paid", orderId=of_another).review == "order_differs"


@pytest.mark.parametrize(
    ("known", "reported"),
    [
        ("failed", "pending"),
        ("failed", "expired"),
        ("expired", "failed"),
        ("paid", "pending"),
        ("paid", "failed"),
        ("paid", "expired"),
        ("review", "paid"),
        ("review", "failed"),
    ],
)
def test_what_comes_too_late_is_stale(known: str, reported: str) -> None:
    assert verdict(known, reported) == Transition("stale")


@pytest.mark.parametrize("status", ["pending", "failed", "expired", "paid"])
def test_the_same_status_again_changes_nothing(status: str) -> None:
    assert verdict(status, status) == Transition("unchanged")


@pytest.mark.parametrize("status", ["refunded", "PAID", "review", "applied"])
def test_a_status_that_spayon_does_not_document_is_ignored(status: str) -> None:
    assert verdict("pending", status) == Transition("ignored")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"price": None}, "price_missing"),
        ({"price": "1 000"}, "price_unreadable"),
        ({"price": "999.99"}, "price_differs"),
        ({"price": "1000.01"}, "price_differs"),
        ({"currency": None}, "currency_missing"),
        ({"currency": 51}, "currency_unreadable"),
        ({"currency": "USD"}, "currency_differs"),
        ({"orderId": None}, "order_missing"),
        ({"orderId": "A2"}, "order_differs"),
    ],
)
def test_a_paid_that_does_not_fit_goes_to_review(fields: dict[str, Any], reason: str) -> None:
    assert verdict("pending", "paid", **fields) == Transition("review", "review", reason)


@pytest.mark.parametrize("status", ["failed", "expired"])
def test_the_money_guard_is_for_paid_alone(status: str) -> None:
    assert verdict("pending", status, price="1", currency="USD", orderId="A2").status == status


def test_a_product_of_the_admin_panel_takes_its_price_from_spayon_and_needs_one() -> None:
    asked = payment(product_id=7, price=None, currency=None)

    assert decide(asked, Report.from_json(report(price="42"))) == Transition("applied", "paid")
    assert decide(asked, Report.from_json(report(price=None))).review == "price_missing"


def test_a_second_payment_and_one_for_what_the_order_no_longer_is_go_to_review() -> None:
    said = Report.from_json(report())

    assert decide(payment(superseded=True), said).review == "superseded"
    assert decide(payment(), said, order_is_paid=True).review == "second_payment"


@pytest.mark.parametrize(
    ("status", "held", "holds"),
    [
        ("paid", None, "A1"),
        ("paid", "A1", "A1"),
        ("failed", "A1", None),
        ("expired", "A1", None),
        ("review", "A1", "A1"),
        ("review", None, None),
    ],
)
def test_a_payment_holds_its_order_while_it_is_paid_or_may_be_paid(
    status: str, held: str | None, holds: str | None
) -> None:
    assert held_order(payment(held_order_id=held), status) == holds


NOON = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)


def live(**fields: Any) -> Any:
    known = {"session_url": "https://spayon.example/pay/S1", "expires_at": NOON}
    return payment(**(known | fields))


def test_a_payment_can_be_paid_until_its_time_is_over() -> None:
    assert can_be_paid(live(), NOON - timedelta(seconds=1))
    assert not can_be_paid(live(), NOON)


@pytest.mark.parametrize(
    "fields",
    [
        *({"status": status} for status in ("failed", "expired", "paid", "review")),
        {"superseded": True},
        {"session_url": None},
        {"expires_at": None},
    ],
)
def test_a_payment_that_lacks_one_thing_cannot_be_paid(fields: dict[str, Any]) -> None:
    assert not can_be_paid(live(**fields), NOON - timedelta(seconds=1))


@pytest.mark.parametrize(
    ("reason", "kept"),
    [
        ("order cancelled", "order cancelled"),
        (" no\x00 stock\n", "no stock"),
        (404, "404"),
        ("", "needs_review"),
        ("\x00", "needs_review"),
        ("x" * 300, "x" * 255),
    ],
)
def test_a_reason_is_kept_as_text_that_every_database_holds(reason: object, kept: str) -> None:
    assert readable_reason(reason) == kept
