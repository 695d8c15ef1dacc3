"""After a chaos run the sums of the export are those of the gateway's own ledger."""

import csv
import io
import logging
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import tests.chaos.run
from spayon_flask.simulator import Simulator
from tests.chaos.ledger import Ledger, compare
from tests.chaos.run import Chaos
from tests.kept import dispose
from tests.shop import Shop, make_shop
from tests.staff.conftest import Desk

PAYMENTS = 150


@pytest.fixture
def books(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The gateway at the end of a run: its address, and its books: payment session and price."""
    kept: dict[str, Any] = {}

    def note(gateway: Simulator, shop: Shop, *more: Any) -> Ledger:
        kept["paid"] = {
            session.id: Decimal(str(session.creation.price))
            for session in gateway.sessions
            if session.status == "paid"
        }
        kept["gateway"] = urlsplit(gateway.url).netloc
        return compare(gateway, shop, *more)

    monkeypatch.setattr(tests.chaos.run, "compare", note)
    logging.disable(logging.ERROR)
    yield kept
    logging.disable(logging.NOTSET)


@pytest.mark.thorough
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_export_of_a_chaos_run_is_the_gateway_s_ledger(
    database_url: str, books: dict[str, Any], tmp_path: Path
) -> None:
    ledger = Chaos(PAYMENTS, 2, 7, database_url).run()
    assert ledger.sound

    # What nobody could ever have told us is in no book of ours.
    paid = {
        session_id: price
        for session_id, price in books["paid"].items()
        if session_id not in ledger.told
    }
    desk = Desk(make_shop(database_url, fresh=False))
    period = f"from=2020-01-01&to=2099-12-31&gateway={books['gateway']}"
    text = desk.get(f"/export.csv?{period}").text
    rows = list(csv.DictReader(io.StringIO(text[1:])))
    exported = {row["Payment session"]: Decimal(row["Amount"]) for row in rows}
    page = desk.get(f"/export?{period}").text

    assert len(rows) == len(exported)
    assert exported == paid
    assert sum(exported.values()) == sum(paid.values()) > 0
    assert f"Save {len(paid)} payments as CSV" in page
    dispose(desk.shop)
