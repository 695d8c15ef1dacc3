"""Promise 1: callbacks and status checks go one way, and it alone writes a status."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

import spayon_flask
from spayon_flask.simulator import Simulator
from tests.interleavings.log import create_log
from tests.promises.helpers import order, refresh, settle, start, statements
from tests.reports import report
from tests.shop import Shop

PACKAGE = Path(spayon_flask.__file__).parent

WRITES_STATUS = re.compile(r"UPDATE spayon_payment SET .*?\bstatus ?=.*?WHERE(.*)", re.DOTALL)


@pytest.mark.always
def test_a_callback_and_a_status_check_leave_the_same_behind(
    any_shop: Shop, gateway: Simulator
) -> None:
    left = []

    for order_id, by_callback in (("A1", True), ("A2", False)):
        any_shop.add_order(order_id)
        payment = start(any_shop, order(order_id))

        if not by_callback:
            gateway.fault("callback_lost")

        gateway.pay(payment.session_id)
        refresh(any_shop, payment.session_id)
        left.append((any_shop.payment(payment.session_id), any_shop.callbacks()[-1]))

    (paid, called), (paid_too, asked) = left
    assert (called.source, asked.source) == ("callback", "status_check")

    for name in ("status", "review", "price", "currency", "decline_reasons", "due_at"):
        assert getattr(paid, name) == getattr(paid_too, name)

    assert (called.status, called.verdict) == (asked.status, asked.verdict)

    # A callback that comes after the status check is a repetition.
    gateway.deliver(paid_too.session_id)
    assert [row.source for row in any_shop.callbacks()] == ["callback", "status_check"]
    assert any_shop.handled == [("A1", "paid"), ("A2", "paid")]


@pytest.mark.always
def test_a_status_is_written_only_over_the_one_that_was_decided_upon(pending_shop: Shop) -> None:
    with statements(pending_shop) as executed:
        pending_shop.deliver(report(status="failed"))
        pending_shop.deliver(report(status="paid"))

    writes = [found[1] for sql in executed if (found := WRITES_STATUS.search(sql))]
    assert len(writes) == 2
    assert all("spayon_payment.status =" in where for where in writes)


def test_one_statement_writes_every_status(any_shop: Shop, gateway: Simulator) -> None:
    for number in range(4):
        any_shop.add_order(f"A{number}")
        any_shop.add_payment(f"S{number}", f"A{number}")

    any_shop.add_order("A4")
    unanswered = any_shop.add_payment(None, "A4")
    any_shop.add_order("A5")
    asked = start(any_shop, order("A5"))
    gateway.fault("callback_lost")
    gateway.pay(asked.session_id)

    with statements(any_shop) as executed:
        any_shop.deliver(report("S0", "failed", orderId="A0"))
        any_shop.deliver(report("S1", "paid", orderId="A1"))
        any_shop.deliver(report("S2", "paid", orderId="A2", price="1"))
        any_shop.deliver(report("S3", "expired", orderId="A3"))
        refresh(any_shop, asked.session_id)

        settle(any_shop, "S2", accept=True)

        with any_shop.app.app_context():
            schedule = any_shop.spayon.state.storage.schedule
            schedule.expire_unanswered(unanswered, now=any_shop.clock())

    writers = [sql for sql in executed if WRITES_STATUS.search(sql)]
    assert len(writers) == 7
    assert len(set(writers)) == 1


@pytest.mark.parametrize(
    ("fields", "written"),
    [
        ({}, ["paid"]),
        ({"price": "1"}, ["review"]),
        ({"currency": "USD"}, ["review"]),
        ({"orderId": None}, ["review"]),
        ({"status": "failed"}, ["failed"]),
        ({"status": "pending"}, []),
        ({"status": "refunded"}, []),
    ],
)
def test_no_status_is_written_that_was_not_decided(
    pending_shop: Shop, fields: dict[str, Any], written: list[str]
) -> None:
    with audit(pending_shop) as seen:
        assert pending_shop.deliver(report(**fields)) == 200

    assert seen == written


@contextmanager
def audit(shop: Shop) -> Iterator[list[str]]:
    """Collect the statuses that are written inside the block, by a trigger of the database."""
    seen: list[str] = []

    with shop.app.app_context():
        with shop.db.engine.begin() as connection:
            create_log(connection)

        yield seen
        written = text("SELECT became FROM status_log WHERE event = 'status' ORDER BY seq")
        seen += shop.db.session.scalars(written)
