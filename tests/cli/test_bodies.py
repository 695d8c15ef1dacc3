"""`flask spayon prune --bodies`: the exact bytes of old reports go, and everything still holds."""

import json
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.reports import report
from tests.shop import Shop

DAY = 86400


@pytest.fixture
def shop(any_shop: Shop) -> Shop:
    """A shop on each of the three engines, with an order and its pending payment."""
    any_shop.add_pending()
    return any_shop


def bodies(shop: Shop) -> list[bytes]:
    """Return the stored bodies, in the order in which they came."""
    return [bytes(each.body) for each in shop.callbacks()]


def personal(session_id: str = "S1", status: str = "paid", **fields: Any) -> bytes:
    """Return a report that repeats who has paid."""
    return report(session_id, status, payer={"email": "ani@example.am"}, **fields)


def trimmed(run: Run) -> int:
    """Remove the bodies of reports older than 90 days, and return how many were removed."""
    result = run("prune", "--bodies", "90d", "--json")
    assert result.exit_code == 0, result.output
    return int(json.loads(result.output)["bodies"])


def test_an_old_body_is_empty_afterwards_and_a_younger_one_stays(shop: Shop, run: Run) -> None:
    shop.deliver(personal())
    shop.clock.step(91 * DAY)
    shop.add_order("A2")
    shop.add_payment("S2", order_id="A2")
    shop.deliver(personal("S2", orderId="A2"))

    result = run("prune", "--bodies", "90d")

    assert result.output == "removed the bodies of 1 reports\n"
    left = [b"", personal("S2", orderId="A2")]
    assert bodies(shop) == left
    # An empty one is none that could go, and a duplicate is still a duplicate.
    assert trimmed(run) == 0
    assert shop.deliver(personal()) == 200
    assert shop.paid_times() == 1
    assert bodies(shop) == left


def test_many_go_in_batches_and_a_dry_run_counts_them(shop: Shop, run: Run) -> None:
    for number in range(7):
        shop.add_payment(f"T{number}", status="failed", held_order_id=None)
        shop.deliver(report(f"T{number}", "failed"))

    shop.clock.step(401 * DAY)
    both = ("prune", "--bodies", "90d", "--older-than", "400d", "--batch", "3", "--json")
    dry = json.loads(run(*both, "--dry-run").output)
    whole = bodies(shop)
    wet = json.loads(run(*both).output)

    assert dry == wet
    assert (wet["bodies"], wet["payments"], wet["callbacks"]) == (7, 7, 7)
    assert all(whole)
    assert bodies(shop) == []


@pytest.mark.parametrize("status", ["pending", "review"])
def test_a_payment_that_somebody_has_yet_to_decide_on_keeps_its_bodies(
    shop: Shop, run: Run, status: str
) -> None:
    shop.deliver(personal(status="pending") if status == "pending" else personal(price="1"))
    shop.clock.step(91 * DAY)

    assert trimmed(run) == 0
    assert b"ani@" in bodies(shop)[0]


def test_once_a_person_has_decided_the_body_goes(shop: Shop, run: Run) -> None:
    shop.deliver(personal(price="1"))
    shop.clock.step(91 * DAY)
    run("review", "S1", "--refuse", "--because", "refunded", "--by", "Ani")

    assert trimmed(run) == 1
    assert "by Ani: refunded" in run("show", "S1").output


def test_an_unknown_report_keeps_its_body_until_somebody_has_looked(shop: Shop, run: Run) -> None:
    shop.deliver(personal("S9", orderId="A9"))
    shop.clock.step(91 * DAY)
    assert trimmed(run) == 0

    run("unknown", "--seen", str(shop.callbacks()[0].id), "--because", "the museum's", "--by", "x")

    assert trimmed(run) == 1
    (listed,) = json.loads(run("unknown", "--all", "--json").output)
    assert listed["body"] == ""
    assert "S9" in run("unknown", "--all").output


def test_an_unknown_report_without_its_bytes_still_counts_once_its_payment_is_known(
    shop: Shop, run: Run
) -> None:
    shop.deliver(personal("S9", orderId="A9"))
    shop.clock.step(91 * DAY)
    run("unknown", "--seen", str(shop.callbacks()[0].id), "--because", "x", "--by", "x")
    assert trimmed(run) == 1
    shop.add_order("A9")
    shop.add_payment("S9", order_id="A9", price=1000)

    assert shop.deliver(personal("S9", orderId="A9")) == 200

    assert shop.payment("S9").status == "paid"
    assert bodies(shop) == [personal("S9", orderId="A9")]


def test_what_waits_for_the_dispatcher_keeps_its_body(shop: Shop, run: Run) -> None:
    @shop.spayon.dispatcher
    def dispatch(callback_id: int) -> None:
        raise RuntimeError("the queue is away")

    shop.deliver(personal())
    shop.clock.step(91 * DAY)

    dry = run("prune", "--bodies", "90d", "--dry-run")

    assert dry.output == "would remove the bodies of 0 reports\n"
    assert trimmed(run) == 0


def test_bodies_of_another_account_stay(shop: Shop, run: Run) -> None:
    shop.deliver(personal())
    shop.clock.step(91 * DAY)

    with shop.app.app_context():
        shop.db.session.execute(shop.db.update(shop.spayon.Callback).values(account="museum"))
        shop.db.session.commit()

    assert trimmed(run) == 0


def test_a_late_paid_of_another_payment_still_goes_to_review(shop: Shop, run: Run) -> None:
    shop.add_payment("S2", status="expired", held_order_id=None)
    shop.deliver(personal())
    shop.clock.step(91 * DAY)
    trimmed(run)

    shop.deliver(personal("S2"))

    assert (shop.payment("S2").status, shop.payment("S2").review) == ("review", "second_payment")
    assert shop.paid_times() == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--bodies", "6d"], "at least 7d"),
        (["--older-than", "29d"], "at least 30d"),
        ([], "say how old"),
        (["--bodies", "90d", "--paid"], "say how old"),
    ],
)
def test_what_makes_no_sense_is_refused(run: Run, arguments: list[str], said: str) -> None:
    result = run("prune", *arguments)

    assert result.exit_code in (1, 64)
    assert said in result.output
