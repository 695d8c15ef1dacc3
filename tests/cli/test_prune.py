"""`flask spayon prune`: what may go goes, and what guards stays."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import event, text

from spayon_flask import Order
from tests.cli.conftest import Run
from tests.reports import report
from tests.shop import Shop


@pytest.fixture
def shop(any_shop: Shop) -> Shop:
    """A shop on each of the three engines."""
    any_shop.add_order()
    return any_shop


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
def test_an_old_payment_goes_with_its_callbacks(shop: Shop, run: Run, status: str) -> None:
    end(shop, status)
    shop.clock.step(401 * 86400)

    result = run("prune", "--older-than", "400d")

    assert "removed 1 payments, 1 callbacks" in result.output
    assert remaining(shop) == ([], [])


def test_a_younger_payment_stays(shop: Shop, run: Run) -> None:
    end(shop, "failed")
    shop.clock.step(399 * 86400)

    run("prune", "--older-than", "400d")

    assert remaining(shop) == (["S1"], ["S1"])


def test_a_payment_that_was_told_of_lately_stays(shop: Shop, run: Run) -> None:
    end(shop, "failed")
    shop.clock.step(399 * 86400)
    shop.deliver(report(status="expired"))
    shop.clock.step(2 * 86400)

    run("prune", "--older-than", "400d")

    assert remaining(shop) == (["S1"], ["S1", "S1"])


@pytest.mark.parametrize("values", [{}, {"status": "review", "review": "price_differs"}])
def test_pending_and_reviewed_payments_stay_however_old(
    shop: Shop, run: Run, values: dict[str, Any]
) -> None:
    shop.add_payment(**values)
    shop.clock.step(4000 * 86400)

    run("prune", "--older-than", "400d", "--paid")

    assert remaining(shop) == (["S1"], [])


def test_a_paid_payment_stays_unless_asked_for(shop: Shop, run: Run) -> None:
    end(shop, "paid")
    drop_order(shop)
    shop.clock.step(401 * 86400)

    run("prune", "--older-than", "400d")

    assert remaining(shop) == (["S1"], ["S1"])


def test_a_paid_payment_stays_while_the_shop_has_the_order(shop: Shop, run: Run) -> None:
    end(shop, "paid")
    shop.clock.step(401 * 86400)

    result = run("prune", "--older-than", "400d", "--paid")

    assert "kept 1 whose order the shop still has" in result.output
    assert remaining(shop) == (["S1"], ["S1"])


def test_a_paid_payment_whose_order_is_gone_goes(shop: Shop, run: Run) -> None:
    end(shop, "paid")
    drop_order(shop)
    shop.clock.step(401 * 86400)

    run("prune", "--older-than", "400d", "--paid")

    assert remaining(shop) == ([], [])


def test_an_order_that_the_shop_knows_by_its_key_alone_keeps_its_payment(
    shop: Shop, run: Run
) -> None:
    order = Order(order_id="A1", key="k7Qz", product_name="Tea", price=Decimal(1), currency="AMD")
    shop.spayon.order_loader(lambda key: order if key == "k7Qz" else None)
    shop.add_payment(status="paid", order_key="k7Qz")
    shop.clock.step(401 * 86400)

    result = run("prune", "--older-than", "400d", "--paid")

    assert "removed 0 payments" in result.output
    assert "kept 1 whose order" in result.output


def test_a_loader_that_raises_keeps_the_payment(shop: Shop, run: Run) -> None:
    end(shop, "paid")
    shop.clock.step(401 * 86400)

    @shop.spayon.order_loader
    def load(order_id: str) -> None:
        raise RuntimeError("outside of a request")

    run("prune", "--older-than", "400d", "--paid")

    assert remaining(shop) == (["S1"], ["S1"])


def test_what_waits_for_the_dispatcher_stays(shop: Shop, run: Run) -> None:
    @shop.spayon.dispatcher
    def dispatch(callback_id: int) -> None:
        raise RuntimeError("the queue is away")

    end(shop, "failed")
    shop.clock.step(401 * 86400)

    run("prune", "--older-than", "400d")

    assert remaining(shop) == (["S1"], ["S1"])


def test_old_unknown_reports_go_but_not_one_of_a_payment(shop: Shop, run: Run) -> None:
    shop.deliver(report("S8", "failed", orderId="A8"))
    shop.deliver(report("S9", "paid", orderId="A9"))
    shop.clock.step(401 * 86400)

    result = run("prune", "--older-than", "400d", "--json")

    assert json.loads(result.output)["unknown"] == 1
    assert remaining(shop) == ([], ["S9"])


def test_many_go_in_batches(shop: Shop, run: Run) -> None:
    for number in range(7):
        shop.add_payment(f"S{number}", status="failed", held_order_id=None)

    shop.clock.step(401 * 86400)

    result = run("prune", "--older-than", "400d", "--batch", "3", "--json")

    assert json.loads(result.output)["payments"] == 7


def test_a_dry_run_removes_nothing(shop: Shop, run: Run) -> None:
    end(shop, "failed")
    shop.clock.step(401 * 86400)

    result = run("prune", "--older-than", "400d", "--dry-run")

    assert "would remove 1 payments" in result.output
    assert remaining(shop) == (["S1"], ["S1"])


def test_payments_of_another_account_stay(shop: Shop, run: Run) -> None:
    shop.add_payment(account="museum", status="failed", held_order_id=None)
    shop.clock.step(401 * 86400)

    run("prune", "--older-than", "400d")

    assert remaining(shop) == (["S1"], [])


@pytest.mark.parametrize("age", ["29d", "0d", "4w"])
def test_less_than_thirty_days_is_refused(run: Run, age: str) -> None:
    result = run("prune", "--older-than", age)

    assert result.exit_code == 1
    assert "at least 30d" in result.output


def test_a_late_report_about_a_pruned_payment_is_recorded_as_unknown(shop: Shop, run: Run) -> None:
    end(shop, "expired")
    shop.clock.step(timedelta(days=401).total_seconds())
    run("prune", "--older-than", "400d")

    assert shop.deliver(report()) == 200

    assert [row.verdict for row in shop.callbacks()] == ["unknown"]
    assert shop.paid_times() == 0


def test_who_decided_about_a_payment_and_why_stays_however_old(shop: Shop, run: Run) -> None:
    shop.add_payment()
    shop.deliver(report(price="1"))
    run("review", "S1", "--refuse", "--because", "refunded", "--by", "Ani")
    shop.clock.step(401 * 86400)

    result = run("prune", "--older-than", "400d")

    assert "removed 0 payments" in result.output
    assert "by Ani: refunded" in run("show", "S1").output


def test_a_dry_run_counts_what_would_go(shop: Shop, run: Run) -> None:
    shop.add_order("A2")
    end(shop, "failed")
    end(shop, "expired", "S2", "A2")
    assert shop.deliver(report("nobody's", "failed")) == 200
    shop.clock.step(401 * 86400)

    dry = json.loads(run("prune", "--older-than", "400d", "--dry-run", "--json").output)
    wet = json.loads(run("prune", "--older-than", "400d", "--json").output)

    assert dry == wet == {"payments": 2, "callbacks": 2, "unknown": 1, "kept": 0, "stuck": 0}


def test_a_payment_that_a_row_of_the_shop_refers_to_does_not_keep_the_others(
    shop: Shop, run: Run
) -> None:
    shop.add_order("A2")
    end(shop, "failed")
    end(shop, "failed", "S2", "A2")
    shop.clock.step(401 * 86400)

    with shop.app.app_context():
        if shop.db.engine.dialect.name == "sqlite":

            @event.listens_for(shop.db.engine, "connect")
            def check_keys(connection: Any, _: object) -> None:
                connection.execute("PRAGMA foreign_keys = ON")

            shop.db.engine.dispose()

        key = "INTEGER" if shop.db.engine.dialect.name == "sqlite" else "BIGINT"
        reference = "FOREIGN KEY (payment_id) REFERENCES spayon_payment (id)"
        create = f"CREATE TABLE invoice (payment_id {key}, {reference})"
        shop.db.session.execute(text(create))
        number = shop.payment("S1").id
        shop.db.session.execute(text(f"INSERT INTO invoice VALUES ({number})"))
        shop.db.session.commit()

    result = run("prune", "--older-than", "400d")

    assert result.exit_code == 0
    assert "removed 1 payments, 1 callbacks" in result.output
    assert "left 1 that a row of the shop refers to" in result.output
    assert remaining(shop) == (["S1"], ["S1"])

    with shop.app.app_context():
        shop.db.session.execute(text("DROP TABLE invoice"))
        shop.db.session.commit()


@pytest.mark.parametrize("table", ["spayon_payment", "spayon_callback"])
def test_a_row_of_the_shop_that_would_go_along_keeps_the_payment(
    shop: Shop, run: Run, table: str
) -> None:
    for session_id in ("S1", "S2"):
        shop.add_payment(session_id, status="failed", held_order_id=None)
        shop.deliver(report(session_id, "failed"))
        shop.deliver(report(session_id, "expired"))

    shop.clock.step(401 * 86400)

    with shop.app.app_context():
        key = "INTEGER" if shop.db.engine.dialect.name == "sqlite" else "BIGINT"
        reference = f"FOREIGN KEY (row_id) REFERENCES {table} (id) ON DELETE CASCADE"
        number = shop.payment("S1").id if table == "spayon_payment" else shop.callbacks()[0].id
        shop.db.session.execute(text(f"CREATE TABLE job (row_id {key}, {reference})"))
        shop.db.session.execute(text(f"INSERT INTO job VALUES ({number})"))
        shop.db.session.commit()

    result = run("prune", "--older-than", "400d")

    with shop.app.app_context():
        left = shop.db.session.execute(text("SELECT count(*) FROM job")).scalar_one()
        shop.db.session.execute(text("DROP TABLE job"))
        shop.db.session.commit()

    assert left == 1
    assert "removed 1 payments, 2 callbacks" in result.output
    assert "left 1 that a row of the shop refers to" in result.output
    assert shop.payment("S1").status == "failed"


@pytest.mark.parametrize("newest", [None, "k9"])
def test_a_paid_order_whose_key_was_changed_keeps_its_payment(
    shop: Shop, run: Run, newest: str | None
) -> None:
    # The loader knows the order by a code, and by another one than when it was paid; or by a code
    # since the shop began to use them.
    order = Order(order_id="A1", key="new", product_name="Tea", price=Decimal(1), currency="AMD")
    shop.spayon.order_loader(lambda key: order if key == "new" else None)
    shop.add_payment(status="paid", order_key="A1" if newest else "old")
    shop.clock.step(401 * 86400)

    if newest:
        shop.add_payment("S2", "A2", order_key=newest)

    result = run("prune", "--older-than", "400d", "--paid")

    assert "removed 0 payments" in result.output
    assert "kept 1 whose order" in result.output
