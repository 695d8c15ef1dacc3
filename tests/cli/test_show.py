"""`flask spayon show --ask`, `show --hand-over`, and `unknown`."""

import json

import pytest

from spayon_flask.simulator import Simulator
from spayon_flask.storage.decisions import HANDED_OVER
from tests.cli.conftest import Run
from tests.reports import report
from tests.shop import Shop


@pytest.fixture
def shop(live_shop: Shop) -> Shop:
    """A shop that pays through the simulator, with one order."""
    live_shop.add_order()
    return live_shop


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

    result = run("show", "--ask", session_id)

    assert "Spayon says: paid" in result.output
    assert shop.payment(session_id).status == "paid"
    assert shop.paid_times() == 1


def test_spayon_is_asked_about_a_paid_payment_too_but_not_twice_at_once(
    shop: Shop, sim: Simulator, run: Run
) -> None:
    session_id = begin(shop)
    sim.pay(session_id)
    shop.clock.step(60)

    shown = json.loads(run("show", "--ask", session_id, "--json").output)
    again = run("show", "--ask", session_id).output

    assert (shown["asked"], shown["said"], shown["payment"]["status"]) == (True, "paid", "paid")
    assert shop.paid_times() == 1
    assert "somebody has asked just now, so Spayon was not asked again" in again


def test_a_payment_that_nobody_can_ask_about_is_named(shop: Shop, run: Run) -> None:
    shop.add_payment(None, reference="r1", held_order_id=None)

    assert "no payment session and no order S9" in run("show", "--ask", "S9").output
    assert "nothing to ask about" in run("show", "--ask", "r1").output

    shop.add_payment("S1", gateway="api.spayon.io")
    assert run("show", "S1").exit_code == 0
    assert "made with api.spayon.io" in run("show", "S1", "--ask").output


def test_each_attempt_of_an_order_is_asked_about(shop: Shop, sim: Simulator, run: Run) -> None:
    first = begin(shop)
    sim.decline(first)
    second = begin(shop)
    shop.clock.step(60)

    shown = json.loads(run("show", "A1", "--ask", "--json").output)["attempts"]

    said = {each["payment"]["session_id"]: (each["asked"], each["said"]) for each in shown}
    assert said == {first: (True, "failed"), second: (True, "pending")}


def test_a_handler_that_has_failed_is_told_of(shop: Shop, run: Run) -> None:
    shop.add_payment(handler_failures=2, handler_failed_at=shop.clock(), handler_error="KeyError")

    assert "2 times since 2026-11-22 12:00:00: KeyError" in run("show", "S1").output


def test_unknown_reports_are_told_of_until_somebody_has_looked_and_says_why(
    shop: Shop, run: Run
) -> None:
    shop.deliver(report("S9", orderId="A9"))
    (row,) = shop.callbacks()

    assert run("unknown").output.splitlines()[1].split() == [
        *(str(row.id), *str(row.received_at)[:19].split(), "paid", "A9", "S9")
    ]

    seen = ("unknown", "--seen", str(row.id), "--by", "Ani")
    assert "1 in a week about payment sessions" in run("doctor", "--offline").output
    assert run(*seen).exit_code == 64
    assert run(*seen, "--because", "the other shop's").exit_code == 0
    again = run(*seen, "--because", "y")

    assert (again.exit_code, f"no unknown report {row.id}" in again.output) == (1, True)
    assert "unknown reports: none in a week" in run("doctor", "--offline").output
    assert run("unknown").output == "no unknown reports\n"
    assert "by Ani: the other shop's" in run("unknown", "--all").output
    (shown,) = json.loads(run("unknown", "--all", "--json").output)
    assert (shown["seen_by"], shown["seen_because"]) == ("Ani", "the other shop's")


def test_the_dispatcher_is_given_a_row_again(shop: Shop, sim: Simulator, run: Run) -> None:
    given: list[int] = []
    shop.spayon.dispatcher(given.append)
    session_id = begin(shop)
    sim.pay(session_id)
    (row,) = shop.callbacks()

    result = run("show", "A1", "--hand-over", "--by", "Ani")
    again = run("show", "A1", "--hand-over")

    assert result.exit_code == 0
    assert f"callback {row.id}: handed over" in result.stderr
    assert (again.exit_code, "wait a minute" in again.output) == (1, True)
    assert given == [row.id, row.id]
    (row,) = shop.callbacks()
    assert row.dispatch_at is None
    # The trace that it leaves at the desk, too.
    notes = shop.payment(session_id).notes or []
    assert [(each["what"], each["by"]) for each in notes] == [(HANDED_OVER, "Ani")]


def test_a_dispatcher_that_fails_is_tried_again_by_reconcile(
    shop: Shop, sim: Simulator, run: Run
) -> None:
    sim.pay(begin(shop))
    shop.spayon.dispatcher(lambda _: 1 / 0)

    result = run("show", "A1", "--hand-over")

    assert result.exit_code == 1
    assert "reconcile tries again" in result.output
    (row,) = shop.callbacks()
    assert row.dispatch_at is not None


def test_a_report_that_changed_nothing_is_not_handed_over(shop: Shop, run: Run) -> None:
    given: list[int] = []
    shop.add_payment("S1", status="failed")
    shop.deliver(report("S1", status="expired"))
    assert "no dispatcher" in run("show", "S1", "--hand-over").output

    shop.spayon.dispatcher(given.append)
    assert run("show", "S1", "--hand-over").exit_code == 1
    assert given == []
