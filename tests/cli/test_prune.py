"""`flask spayon prune`: what may go goes, and what guards stays."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import text

from spayon_flask import Order
from tests.cli.conftest import Run
from tests.reports import report
from tests.shop import Shop


@pytest.fixture
def shop(any_shop: Shop) -> Shop:
    """A shop on each of the three engines."""
    any_shop.add_order()
    return any_shop


Prune = Callable[..., Result]


@pytest.fixture
def prune(shop: Shop, run: Run) -> Prune:
    """Let time pass, 401 days, and remove what is older than 400."""

    def prune(*options: str, days: int = 401) -> Result:
        shop.clock.step(days * 86400)
        return run("prune", "--older-than", "400d", *options)

    return prune


def end(shop: Shop, status: str, session_id: str = "S1", order_id: str = "A1") -> None:
    """Let a payment end as *status*."""
    shop.add_payment(session_id, order_id=order_id)
    assert shop.deliver(report(session_id, status, orderId=order_id)) == 200


def remaining(shop: Shop) -> tuple[list[str], list[str]]:
    """Return the payment sessions of the payments and of the callback rows that are left."""
    with shop.app.app_context():
        model = shop.spayon.Payment
        payments = shop.db.session.scalars(shop.db.select(model.session_id).order_by(model.id))
        return [str(each) for each in payments], [each.session_id for each in shop.callbacks()]


def drop_order(shop: Shop) -> None:
    """Let the shop forget its order."""
    with shop.app.app_context():
        shop.db.session.delete(shop.db.session.get(shop.orders, "A1"))
        shop.db.session.commit()


@pytest.mark.parametrize("status", ["failed", "expired"])
def test_an_old_payment_goes_with_its_callbacks(shop: Shop, prune: Prune, status: str) -> None:
    end(shop, status)
    result = prune()

    assert "removed 1 payments, 1 callbacks" in result.output
    assert remaining(shop) == ([], [])


def test_a_younger_payment_and_one_that_was_told_of_lately_stay(shop: Shop, prune: Prune) -> None:
    end(shop, "failed")
    prune(days=399)
    assert remaining(shop) == (["S1"], ["S1"])

    shop.deliver(report(status="expired"))
    prune(days=2)

    assert remaining(shop) == (["S1"], ["S1", "S1"])


@pytest.mark.parametrize("values", [{}, {"status": "review", "review": "price_differs"}])
def test_pending_and_reviewed_payments_stay_however_old(
    shop: Shop, prune: Prune, values: dict[str, Any]
) -> None:
    shop.add_payment(**values)
    prune("--paid", days=4000)

    assert remaining(shop) == (["S1"], [])


@pytest.mark.parametrize(
    ("options", "has_order", "stays"),
    [((), False, 1), (("--paid",), True, 1), (("--paid",), False, 0)],
)
def test_a_paid_payment_goes_if_that_is_asked_for_and_the_shop_has_no_such_order(
    shop: Shop, prune: Prune, options: tuple[str, ...], has_order: bool, stays: int
) -> None:
    end(shop, "paid")

    if not has_order:
        drop_order(shop)

    result = prune(*options)

    assert remaining(shop) == (["S1"] * stays, ["S1"] * stays)
    assert ("kept 1 whose order the shop still has" in result.output) == has_order


def test_a_loader_that_raises_keeps_the_payment(shop: Shop, prune: Prune) -> None:
    end(shop, "paid")

    @shop.spayon.order_loader
    def load(order_id: str) -> None:
        raise RuntimeError("outside of a request")

    prune("--paid")

    assert remaining(shop) == (["S1"], ["S1"])


def test_what_waits_for_the_dispatcher_stays(shop: Shop, prune: Prune) -> None:
    @shop.spayon.dispatcher
    def dispatch(callback_id: int) -> None:
        raise RuntimeError("the queue is away")

    end(shop, "failed")
    prune()

    assert remaining(shop) == (["S1"], ["S1"])


def test_old_unknown_reports_go_but_not_one_of_a_payment(shop: Shop, prune: Prune) -> None:
    shop.deliver(report("S8", "failed", orderId="A8"))
    shop.deliver(report("S9", "paid", orderId="A9"))
    result = prune("--json")

    assert json.loads(result.output)["unknown"] == 1
    assert remaining(shop) == ([], ["S9"])


def test_a_late_report_about_a_pruned_payment_is_unknown(shop: Shop, prune: Prune) -> None:
    end(shop, "expired")
    prune()

    assert shop.deliver(report()) == 200

    assert [row.verdict for row in shop.callbacks()] == ["unknown"]
    assert shop.paid_times() == 0


def test_who_decided_about_a_payment_and_why_stays(shop: Shop, run: Run, prune: Prune) -> None:
    shop.add_payment()
    shop.deliver(report(price="1"))
    run("review", "S1", "--refuse", "--because", "refunded", "--by", "Ani")
    result = prune()

    assert "removed 0 payments" in result.output
    assert "by Ani: refunded" in run("show", "S1").output


def test_a_dry_run_counts_what_would_go_and_removes_nothing(shop: Shop, prune: Prune) -> None:
    shop.add_order("A2")
    end(shop, "failed")
    end(shop, "expired", "S2", "A2")
    assert shop.deliver(report("nobody's", "failed")) == 200
    # Of another account, which stays.
    shop.add_payment("S3", account="museum", status="failed", held_order_id=None)
    said = prune("--dry-run").output
    dry = json.loads(prune("--dry-run", "--json", days=0).output)
    whole = remaining(shop)
    wet = json.loads(prune("--json", days=0).output)

    assert said == "would remove 2 payments, 2 callbacks and 1 unknown reports\n"
    assert whole == (["S1", "S2", "S3"], ["S1", "S2", "nobody's"])
    assert remaining(shop) == (["S3"], [])
    assert dry == wet == {"payments": 2, "callbacks": 2, "unknown": 1, "kept": 0, "stuck": 0}


@pytest.mark.parametrize(
    ("table", "rule"),
    [
        ("spayon_payment", ""),
        ("spayon_payment", "ON DELETE CASCADE"),
        ("spayon_callback", "ON DELETE CASCADE"),
    ],
)
def test_a_row_of_the_shop_that_would_go_along_keeps_the_payment_and_no_other(
    shop: Shop, run: Run, table: str, rule: str
) -> None:
    for session_id in ("S1", "S2"):
        shop.add_payment(session_id, status="failed", held_order_id=None)
        shop.deliver(report(session_id, "failed"))
        shop.deliver(report(session_id, "expired"))

    shop.clock.step(401 * 86400)

    with shop.app.app_context():
        key = "INTEGER" if shop.db.engine.dialect.name == "sqlite" else "BIGINT"
        reference = f"FOREIGN KEY (row_id) REFERENCES {table} (id) {rule}"
        number = shop.payment("S1").id if table == "spayon_payment" else shop.callbacks()[0].id
        shop.db.session.execute(text(f"CREATE TABLE job (row_id {key}, {reference})"))
        shop.db.session.execute(text(f"INSERT INTO job VALUES ({number})"))
        shop.db.session.commit()

    result = run("prune", "--older-than", "400d")

    with shop.app.app_context():
        left = shop.db.session.execute(text("SELECT count(*) FROM job")).scalar_one()
        shop.db.session.execute(text("DROP TABLE job"))
        shop.db.session.commit()

    assert (result.exit_code, left) == (0, 1)
    assert "removed 1 payments, 2 callbacks" in result.output
    assert "left 1 that a row of the shop refers to" in result.output
    assert shop.payment("S1").status == "failed"


@pytest.mark.parametrize(
    ("paid_with", "newest"),
    [
        ("new", None),
        # The order had another code when it was paid; or none, and the shop has begun to use them.
        ("old", None),
        ("A1", "k9"),
    ],
)
def test_an_order_that_the_shop_knows_by_a_code_keeps_its_payment(
    shop: Shop, prune: Prune, paid_with: str, newest: str | None
) -> None:
    order = Order(order_id="A1", key="new", product_name="Tea", price=Decimal(1), currency="AMD")
    shop.spayon.order_loader(lambda key: order if key == "new" else None)
    shop.add_payment(status="paid", order_key=paid_with)
    shop.clock.step(86400)

    if newest:
        shop.add_payment("S2", "A2", order_key=newest)

    result = prune("--paid")

    assert "removed 0 payments" in result.output
    assert "kept 1 whose order" in result.output
