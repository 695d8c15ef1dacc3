"""`flask spayon backfill`: payments of an earlier release learn when they were paid."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from datetime import timezone
from decimal import Decimal

import pytest
from sqlalchemy import update

from tests.cli.conftest import Run
from tests.conftest import dispose
from tests.reports import report
from tests.shop import Shop
from tests.shop import make_shop


PAID_AT = datetime(2026, 11, 22, 12, 1, tzinfo=timezone.utc)


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    """A shop on each of the three engines, with payments as an earlier release wrote them."""
    shop = make_shop(database_url)
    shop.clock.step(600)

    for number, price in enumerate(("1000", "1000", "7"), 1):
        order_id = shop.add_order(f"A{number}")
        shop.add_payment(f"S{number}", order_id=order_id)
        shop.deliver(report(f"S{number}", orderId=order_id, price=price))

    forget(shop)
    yield shop
    dispose(shop)


def forget(shop: Shop) -> None:
    """Make the rows what they were before the columns were there."""
    names = ("paid_at", "reported_price", "reported_currency")

    with shop.app.app_context():
        shop.db.session.execute(update(shop.spayon.Payment).values(dict.fromkeys(names)))
        shop.db.session.commit()


def test_what_was_reported_is_read_from_the_stored_reports(shop: Shop, run: Run) -> None:
    result = run("backfill", "--batch", "2")

    assert result.output.startswith("filled 3 payments; 0 of them")
    found = [shop.payment(f"S{number}") for number in (1, 2, 3)]
    assert [each.paid_at for each in found] == [PAID_AT] * 3
    assert [each.reported_price for each in found] == [Decimal(1000), Decimal(1000), Decimal(7)]
    assert {each.reported_currency for each in found} == {"AMD"}


def test_a_second_run_finds_nothing(shop: Shop, run: Run) -> None:
    run("backfill")

    assert json.loads(run("backfill", "--json").output) == {"payments": 0, "without_report": 0}


def test_a_payment_without_a_stored_report_was_paid_when_it_last_changed(
    shop: Shop, run: Run
) -> None:
    with shop.app.app_context():
        shop.db.session.execute(update(shop.spayon.Callback).values(body=b""))
        shop.db.session.commit()

    result = run("backfill", "--json")

    assert json.loads(result.output) == {"payments": 3, "without_report": 3}
    payment = shop.payment("S1")
    assert (payment.paid_at, payment.reported_price) == (shop.clock(), None)


def test_a_refused_payment_keeps_what_was_reported_and_others_have_nothing(
    shop: Shop, run: Run
) -> None:
    shop.add_payment("S4", order_id="A4")
    shop.deliver(report("S4", "failed", orderId="A4"))
    run("review", "S3", "--refuse", "--because", "x", "--by", "Ani")

    run("backfill")

    assert shop.payment("S3").reported_price == 7
    assert shop.payment("S4").paid_at is None
