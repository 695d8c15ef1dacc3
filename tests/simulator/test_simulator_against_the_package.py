"""Every fault against the package: what the payer sees, what is in the tables, how it heals.

What the payer sees at the checkout is tried row by row of the table in `docs/simulator.md`. What
happens afterwards has tests of its own where no promise has them already.
"""

import itertools
import re
from pathlib import Path
from typing import Any

import pytest

from spayon_flask.simulator import Simulator
from spayon_flask.simulator.faults import KINDS
from tests import shop as shops

#: Faults that are armed with some time.
SLOW = {"latency", "trickle", "callback_late"}

TABLE = Path(__file__).parents[2] / "docs" / "simulator.md"


class Payer:
    """A payer of the shop, whose clock and the simulator's go together."""

    def __init__(self, shop: shops.Shop, sim: Simulator) -> None:
        self.shop = shop
        self.sim = sim
        self.browser = shop.app.test_client()

    def check_out(self, order_id: str = "A1") -> Any:
        """Press the button of the checkout page."""
        return self.browser.post(f"/pay/checkout/{order_id}")

    def session_id(self) -> str:
        """Return the newest session of the order."""
        return self.sim.sessions.of_order("A1")[-1].id

    def come_back(self) -> str:
        """Open the return page and say which state it shows."""
        page = self.browser.get("/pay/return", query_string={"session_id": self.session_id()})
        return str(page.text.split('data-state="')[1].split('"')[0])

    def wait(self, seconds: float) -> None:
        """Let time pass, at the shop and at the gateway."""
        self.shop.clock.step(seconds)
        self.sim.clock.step(seconds)

    def rows(self) -> list[tuple[str, str | None]]:
        """Return status and session of each payment in the table."""
        with self.shop.app.app_context():
            payments = self.shop.db.session.scalars(self.shop.db.select(self.shop.spayon.Payment))
            return [(payment.status, payment.session_id) for payment in payments]


@pytest.fixture
def payer(live_shop: shops.Shop, sim: Simulator) -> Payer:
    """Return a payer with something in the basket."""
    live_shop.add_order()
    return Payer(live_shop, sim)


@pytest.mark.parametrize("kind", ["drop_after", "truncated"])
def test_drop_after_and_truncated(payer: Payer, sim: Simulator, kind: str) -> None:
    """A session that the shop does not know may still be paid, and counts."""
    sim.fault(kind, on="sessions", times=None)
    assert payer.check_out().status_code == 503
    assert [session_id for _, session_id in payer.rows()] == [None]

    sim.pay(payer.session_id())
    assert payer.rows() == [("paid", payer.session_id())]
    assert payer.shop.paid_times() == 1


def test_callback_lost(payer: Payer, sim: Simulator) -> None:
    """The payer who is back has the shop ask, and is told the truth."""
    payer.check_out()
    sim.fault("callback_lost", times=None)
    sim.pay(payer.session_id())
    assert payer.rows() == [("pending", payer.session_id())]

    assert payer.come_back() == "paid"
    assert payer.shop.paid_times() == 1


@pytest.mark.parametrize(
    ("kind", "seconds", "codes"),
    [
        ("callback_late", 60, [200]),
        ("callback_answer_lost", 300, [200]),
        ("callback_unknown_status", 0, [200, 200]),
    ],
)
def test_a_callback_that_is_late_repeated_or_strange_changes_nothing(
    payer: Payer, sim: Simulator, kind: str, seconds: int, codes: list[int]
) -> None:
    """It is recorded and answered 200; the payer who is back has been told the truth."""
    payer.check_out()
    sim.fault(kind, seconds=seconds)
    sim.pay(payer.session_id())
    assert payer.come_back() == "paid"

    payer.wait(seconds)
    assert [delivery.status_code for delivery in sim.deliveries] == codes
    assert payer.shop.paid_times() == 1


def test_callback_reordered(payer: Payer, sim: Simulator) -> None:
    """A `failed` that is overtaken by a late `paid` is stale."""
    payer.check_out()
    sim.fault("callback_reordered")
    sim.decline(payer.session_id())
    sim.pay(payer.session_id(), late=True)
    sim.settle()

    assert [delivery.status for delivery in sim.deliveries if delivery.accepted] == [
        "failed",
        "paid",
    ]
    assert payer.rows() == [("paid", payer.session_id())]
    assert [row.verdict for row in payer.shop.callbacks()] == ["applied", "stale"]
    assert payer.shop.paid_times() == 1


def test_unknown_status(payer: Payer, sim: Simulator) -> None:
    """It is recorded and changes nothing; the callback tells the truth."""
    payer.check_out()
    sim.hold_callbacks()
    sim.pay(payer.session_id())
    sim.fault("unknown_status")
    assert payer.come_back() == "pending"

    sim.release()
    assert payer.come_back() == "paid"
    assert payer.shop.paid_times() == 1


def rows() -> dict[str, list[str]]:
    """Return the cells of each row of the table, by its first cell."""
    table = TABLE.read_text(encoding="utf-8").partition("## Each fault against a shop")[2]
    table = table.partition("\n## ")[0]
    cells = [
        [cell.strip() for cell in line.strip("| ").split(" | ")]
        for line in table.splitlines()
        if line.startswith("| `")
    ]
    return {row[0]: row[1:] for row in cells}


def seen_at_checkout(row: str) -> int:
    """Return the code of what the payer sees by the table: 303 if there is none in brackets."""
    code = re.search(r"\((\d{3})\)", rows()[row][0])
    return int(code[1]) if code else 303


@pytest.mark.parametrize("row", [row for row in rows() if "beyond" not in row])
def test_what_the_payer_sees_at_the_checkout_is_what_the_table_says(
    payer: Payer, sim: Simulator, row: str
) -> None:
    """Row by row, whichever code an error has; and the next try works."""
    on = "tokens" if "on `tokens`" in row else None
    codes = [int(code) for code in re.findall(r"\b\d{3}\b", row)] or [503]
    kinds = re.findall(r"`([a-z_]+)`", row.partition(" on ")[0])

    for number, (code, kind) in enumerate(itertools.product(codes, kinds)):
        order_id = payer.shop.add_order(f"B{number}")
        # As a process that has just started: without a token.
        payer.shop.configure()
        allowed = KINDS[kind].on
        place = on or ("sessions" if "sessions" in allowed else next(iter(allowed), None))
        times = 2 if "twice" in row else 1
        sim.fault(kind, on=place, times=times, code=code, seconds=0.05 if kind in SLOW else 0)
        assert payer.check_out(order_id).status_code == seen_at_checkout(row)
        sim.faults.clear()
        assert payer.check_out(order_id).status_code == 303


def test_every_fault_has_its_row() -> None:
    """The table in the documentation leaves none out."""
    assert [kind for kind in KINDS if not any(f"`{kind}`" in row for row in rows())] == []
