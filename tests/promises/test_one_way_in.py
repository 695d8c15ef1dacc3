"""Promise 1: callbacks and status checks go one way, and it alone writes a status."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import spayon_flask
from spayon_flask.simulator import Simulator
from tests.promises.helpers import dialect
from tests.promises.helpers import order
from tests.promises.helpers import refresh
from tests.promises.helpers import start
from tests.promises.helpers import statements
from tests.reports import report
from tests.shop import Shop


PACKAGE = Path(spayon_flask.__file__).parent

WRITES_STATUS = re.compile(r"UPDATE spayon_payment SET .*?\bstatus ?=.*?WHERE(.*)", re.DOTALL)


class TestOneWayIn:
    """What Spayon tells us is one thing, however we hear of it."""

    def test_a_callback_and_a_status_check_leave_the_same_behind(
        self, any_shop: Shop, gateway: Simulator
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
        assert any_shop.handled == [("A1", "paid"), ("A2", "paid")]

    def test_a_callback_after_a_status_check_is_a_repetition(
        self, any_shop: Shop, gateway: Simulator
    ) -> None:
        any_shop.add_order()
        payment = start(any_shop, order())
        gateway.fault("callback_lost")
        gateway.pay(payment.session_id)
        refresh(any_shop, payment.session_id)

        gateway.deliver(payment.session_id)

        assert [row.source for row in any_shop.callbacks()] == ["status_check"]
        assert any_shop.paid_times() == 1

    def test_a_status_is_written_only_over_the_one_that_was_decided_upon(
        self, any_shop: Shop
    ) -> None:
        any_shop.add_order()
        any_shop.add_payment()

        with statements(any_shop) as executed:
            any_shop.deliver(report(status="failed"))
            any_shop.deliver(report(status="paid"))

        writes = [found[1] for sql in executed if (found := WRITES_STATUS.search(sql))]
        # On PostgreSQL recording the report is the first write; the second follows a failure.
        assert len(writes) == (3 if dialect(any_shop) == "postgresql" else 2)
        assert all("spayon_payment.status =" in where for where in writes)

    def test_nothing_but_what_records_reports_writes_a_status(self) -> None:
        writers = {each for each in _modules(_writes_status) if not each.startswith("simulator/")}

        assert writers == {"storage/arrivals.py", "storage/changes.py"}

        for step in ("look_up", "judge"):
            assert _modules(partial(_calls, name=step)) == {"storage/records.py"}

    @pytest.mark.parametrize("status", ["paid", "failed", "expired"])
    def test_a_status_written_with_the_report_leaves_what_a_decision_would_have_written(
        self, any_shop: Shop, status: str
    ) -> None:
        any_shop.add_order()
        any_shop.add_payment()
        any_shop.add_order("A2")
        # The price of such a product is Spayon's, so its status is always written afterwards.
        any_shop.add_payment("S2", "A2", product_id=7)

        for order_id, session_id in (("A1", "S1"), ("A2", "S2")):
            any_shop.deliver(report(session_id, status, orderId=order_id))

        rows = [any_shop.payment(session_id) for session_id in ("S1", "S2")]
        assert [row.held_order_id for row in rows] == (
            ["A1", "A2"] if status == "paid" else [None] * 2
        )

        for name in ("status", "review", "price", "currency", "decline_reasons", "due_at"):
            assert getattr(rows[0], name) == getattr(rows[1], name), name

        assert rows[0].updated_at == rows[1].updated_at


def _modules(fits: Callable[[ast.AST], bool]) -> set[str]:
    """Return the modules whose tree *fits*."""
    return {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if fits(ast.parse(path.read_text()))
    }


def _calls(tree: ast.AST, name: str) -> bool:
    """Say whether a module calls a function or method called *name*."""
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return any(name in (getattr(each, "attr", ""), getattr(each, "id", "")) for each in calls)


def _writes_status(tree: ast.AST) -> bool:
    """Say whether a module executes what writes a status, or sets the `status` of some object."""
    for node in ast.walk(tree):
        if _is_attribute(node, "write_status") or _is_attribute(node, "insert_report"):
            return True

        targets: list[Any] = getattr(node, "targets", []) or [getattr(node, "target", None)]

        if any(_is_attribute(each, "status", ast.Store) for each in targets):
            return True

    return False


def _is_attribute(node: object, name: str, context: type[ast.expr_context] = ast.Load) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == name and isinstance(node.ctx, context)
