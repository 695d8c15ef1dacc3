"""Promises 5 and 6 by the rows: none without end, none lost to a clock or to a broom."""

import threading
from datetime import timedelta
from typing import Any

import pytest

from spayon_flask import GatewayUnavailableError
from spayon_flask.simulator import Simulator
from tests.gateway import Gateway, Says
from tests.promises.helpers import at_once, dialect, just_before, order, payments, start
from tests.reports import report
from tests.shop import Shop

CLICKS = 200


def _click(shop: Shop, clicks: int = CLICKS, **changes: Any) -> None:
    for _click in range(clicks):
        with pytest.raises(GatewayUnavailableError):
            start(shop, order(**changes))


# A payer who tries again and again while the gateway is away leaves no heap of rows.


def test_clicks_while_nobody_listens_leave_nothing(any_shop: Shop) -> None:
    any_shop.add_order()

    _click(any_shop)

    assert payments(any_shop) == []


@pytest.mark.thorough
def test_clicks_whose_answers_are_lost_leave_one_row_that_can_be_paid(
    any_shop: Shop, gateway: Simulator
) -> None:
    any_shop.add_order()
    gateway.fault("drop_after", on="sessions", times=None)

    _click(any_shop)

    (row,) = payments(any_shop)
    assert (row.status, row.session_id, row.held_order_id) == ("pending", None, None)

    lost = gateway.sessions.of_order("A1")
    assert len(lost) >= CLICKS
    gateway.pay(lost[7].id)
    assert any_shop.payment(lost[7].id).status == "paid"
    assert any_shop.paid_times() == 1


def test_each_price_that_was_asked_for_has_its_own_row(any_shop: Shop, gateway: Simulator) -> None:
    any_shop.add_order()
    gateway.fault("drop_after", on="sessions", times=None)

    for price in ("1000", "900", "1000"):
        _click(any_shop, 3, price=price)

    rows = sorted((int(each.price), each.superseded) for each in payments(any_shop))
    assert rows == [(900, True), (1000, False), (1000, True)]


# 15 minutes are 15 minutes.


def test_a_session_ends_fifteen_minutes_after_it_was_asked_for(
    asking_shop: Shop, scripted: Gateway
) -> None:
    answer, asked_at = scripted.creations, asking_shop.clock()

    def take_long(path: str) -> Says:
        asking_shop.clock.step(9)
        return answer(path)

    scripted.creations = take_long
    asking_shop.add_order()

    assert start(asking_shop, order()).expires_at == asked_at + timedelta(minutes=15)


def _prune(shop: Shop) -> int:
    """Remove what is old, as the command does."""
    before = shop.clock() - timedelta(days=30)

    with shop.app.app_context():
        pruning = shop.spayon.state.storage.pruning
        old = pruning.find(statuses=["expired"], before=before, after_id=0, limit=100)
        return int(pruning.remove(old, before=before)[0]) if old else 0


def _grow_old(shop: Shop) -> None:
    """Insert a payment that expired long ago."""
    shop.add_pending()
    shop.deliver(report(status="expired"))
    shop.handled.clear()
    shop.clock.step(31 * 24 * 3600)


def _check(shop: Shop) -> None:
    """Check that the goods and the record of the payment are both there, or neither."""
    paid = [each.status for each in payments(shop)] == ["paid"]
    told = [row.verdict for row in shop.callbacks() if row.status == "paid"]
    assert told == (["applied"] if paid else ["unknown"])
    assert shop.paid_times() == (1 if paid else 0)


# A late `paid` and the broom: the money is recorded, and guarded, whoever comes first.


def test_a_late_paid_just_before_the_rows_go(any_shop: Shop, twin: Shop) -> None:
    _grow_old(any_shop)
    first = "UPDATE spayon_payment" if dialect(any_shop) == "sqlite" else "FOR UPDATE"

    with just_before(twin, first, lambda: any_shop.deliver(report())):
        assert _prune(twin) == 0

    _check(any_shop)
    assert any_shop.paid_times() == 1


@pytest.mark.parametrize("statement", ["INSERT INTO spayon_callback", "spayon_payment"])
@pytest.mark.always
def test_rows_that_go_while_a_late_paid_is_recorded(
    any_shop: Shop, twin: Shop, statement: str
) -> None:
    _grow_old(any_shop)

    with just_before(any_shop, statement, lambda: _prune(twin)):
        assert any_shop.deliver(report()) == 200

    _check(any_shop)
    assert payments(any_shop) == []


def test_a_late_paid_while_the_rows_are_going(any_shop: Shop, twin: Shop) -> None:
    _grow_old(any_shop)
    going, delivered = threading.Event(), threading.Event()

    def wait() -> None:
        going.set()
        # Who is not kept waiting has recorded it by then.
        delivered.wait(0.5)

    def deliver() -> int:
        assert going.wait(10)
        answer = any_shop.deliver(report())
        delivered.set()
        return answer

    def prune() -> int:
        with just_before(twin, "DELETE FROM spayon_callback", wait):
            return _prune(twin)

    # MariaDB may find a deadlock there, and let either of them begin again.
    assert at_once([deliver, prune])[0] == 200
    _check(any_shop)


def test_a_report_that_is_decided_on_while_its_body_goes(any_shop: Shop, twin: Shop) -> None:
    # Of a payment that nobody knew, until somebody had looked.
    any_shop.deliver(report(first="yes"))
    with any_shop.app.app_context():
        seen = any_shop.spayon.state.storage.decisions.seen
        assert seen(any_shop.callbacks()[0].id, by="x", because="x", now=any_shop.clock())

    any_shop.clock.step(31 * 24 * 3600)
    any_shop.add_order()
    first = "UPDATE spayon_" + ("payment" if dialect(any_shop) == "sqlite" else "callback")

    def decide() -> None:
        any_shop.add_payment()
        assert any_shop.deliver(report()) == 200

    with just_before(twin, first, decide), twin.app.app_context():
        late = twin.clock() - timedelta(days=7)
        twin.spayon.state.storage.pruning.remove_bodies(before=late, limit=9)

    _check(any_shop)
    assert any_shop.paid_times() == 1
    (row,) = any_shop.callbacks()
    # What was decided on is what is kept; SQLite decides before anything is removed.
    assert bytes(row.body) == (b"" if dialect(any_shop) == "sqlite" else report())
