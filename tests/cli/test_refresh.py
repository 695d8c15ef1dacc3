"""`flask spayon refresh`, `unknown` and `dispatch`: one payment, one report, one row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from spayon_flask.simulator import Simulator
from tests.cli.conftest import Run
from tests.conftest import dispose
from tests.live import shop_at
from tests.reports import report
from tests.shop import Shop


@pytest.fixture
def shop(sim: Simulator, tmp_path: Path) -> Iterator[Shop]:
    """A shop that pays through the simulator, with one order."""
    with shop_at(sim, f"sqlite:///{tmp_path / 'shop.db'}") as shop:
        shop.add_order()
        yield shop
        dispose(shop)


def begin(shop: Shop) -> str:
    """Begin to pay; return the id of the payment session."""
    answer = shop.app.test_client().post("/pay/checkout/A1")
    return str(answer.headers["Location"].rsplit("/", 1)[1])


def test_a_failed_payment_that_was_paid_after_all_is_found_paid(
    shop: Shop, sim: Simulator, run: Run
) -> None:
    session_id = begin(shop)
    sim.decline(session_id)
    assert shop.payment(session_id).status == "failed"
    sim.hold_callbacks()
    sim.pay(session_id, late=True, wait=False)
    shop.clock.step(60)

    result = run("refresh", session_id)

    assert "Spayon says: paid" in result.output
    assert shop.payment(session_id).status == "paid"
    assert shop.paid_times() == 1


def test_spayon_is_asked_about_a_paid_payment_too_and_nothing_changes(
    shop: Shop, sim: Simulator, run: Run
) -> None:
    session_id = begin(shop)
    sim.pay(session_id)
    shop.clock.step(60)

    shown = json.loads(run("refresh", session_id, "--json").output)

    assert (shown["asked"], shown["said"], shown["payment"]["status"]) == (True, "paid", "paid")
    assert shop.paid_times() == 1


def test_nobody_asks_twice_within_the_interval(shop: Shop, run: Run) -> None:
    session_id = begin(shop)
    shop.clock.step(60)
    run("refresh", session_id)

    assert "asked just now" in run("refresh", session_id).output


def test_the_payment_must_be_known_and_have_a_payment_session(shop: Shop, run: Run) -> None:
    shop.add_payment(None, reference="r1", held_order_id=None)

    assert "no payment session S9" in run("refresh", "S9").output
    assert "nothing to ask about" in run("refresh", "r1").output


def test_unknown_reports_are_listed_until_somebody_has_looked(shop: Shop, run: Run) -> None:
    shop.deliver(report("S9", orderId="A9"))
    (row,) = shop.callbacks()

    assert run("unknown").output.splitlines()[1].split() == [
        *(str(row.id), *str(row.received_at)[:19].split(), "paid", "A9", "S9")
    ]

    noted = run("unknown", "--seen", str(row.id), "--because", "the other shop's", "--by", "Ani")

    assert noted.exit_code == 0
    assert run("unknown").output == "no unknown reports\n"
    assert "by Ani: the other shop's" in run("unknown", "--all").output
    (shown,) = json.loads(run("unknown", "--all", "--json").output)
    assert (shown["seen_by"], shown["seen_because"]) == ("Ani", "the other shop's")


def test_doctor_warns_of_an_unknown_report_until_somebody_has_looked(shop: Shop, run: Run) -> None:
    shop.deliver(report("S9", orderId="A9"))

    assert "1 in a week about payment sessions" in run("doctor", "--offline").output
    run("unknown", "--seen", "1", "--because", "the other shop's", "--by", "Ani")
    assert "unknown reports: none in a week" in run("doctor", "--offline").output


def test_a_report_is_looked_at_once_and_needs_a_reason(shop: Shop, run: Run) -> None:
    shop.deliver(report("S9", orderId="A9"))
    seen = ("unknown", "--seen", "1", "--by", "Ani")

    assert run(*seen).exit_code == 64
    assert run(*seen, "--because", "x").exit_code == 0
    again = run(*seen, "--because", "y")
    assert again.exit_code == 1
    assert "no unknown report 1" in again.output


def test_the_dispatcher_is_given_a_row_again(shop: Shop, sim: Simulator, run: Run) -> None:
    given: list[int] = []
    shop.spayon.dispatcher(given.append)
    sim.pay(begin(shop))
    (row,) = shop.callbacks()

    result = run("dispatch", str(row.id))

    assert result.exit_code == 0
    assert given == [row.id, row.id]
    (row,) = shop.callbacks()
    assert row.dispatch_at is None


def test_a_dispatcher_that_fails_is_tried_again_by_reconcile(
    shop: Shop, sim: Simulator, run: Run
) -> None:
    sim.pay(begin(shop))
    shop.spayon.dispatcher(lambda _: 1 / 0)

    result = run("dispatch", "1")

    assert result.exit_code == 1
    assert "reconcile tries again" in result.output
    (row,) = shop.callbacks()
    assert row.dispatch_at is not None


def test_a_report_that_changed_nothing_is_not_handed_over(shop: Shop, run: Run) -> None:
    given: list[int] = []
    shop.spayon.dispatcher(given.append)
    shop.deliver(report("S9", orderId="A9"))

    assert run("dispatch", "1").exit_code == 1
    assert given == []


def test_without_a_dispatcher_that_is_said(run: Run) -> None:
    assert "no dispatcher" in run("dispatch", "1").output
