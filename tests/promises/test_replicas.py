"""A shop with a replica: what we write, and what a payer is shown, is in the primary database."""

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session
from sqlalchemy import Delete, Insert, Update, insert, text

from spayon_flask import Spayon
from spayon_flask.simulator import Simulator
from tests.kept import dispose
from tests.promises.helpers import paid_in_silence, post_checkout, reconcile
from tests.reports import report
from tests.shop import Shop, make_shop


class RoutingSession(Session):
    """A session that reads from a replica, as SQLAlchemy's documentation has it."""

    def get_bind(self, mapper: Any = None, clause: Any = None, **more: Any) -> Any:  # type: ignore[override]  # as the recipe has it
        if self._flushing or isinstance(clause, Insert | Update | Delete):
            return self._db.engines[None]

        return self._db.engines["replica"]


@pytest.fixture
def routed(database_url: str, tmp_path: Path, sim: Simulator) -> Iterator[Shop]:
    """A shop with a replica that lags behind: it has the shop's order, and no payment."""
    shop = make_shop(
        database_url,
        session_class=RoutingSession,
        SQLALCHEMY_BINDS={"replica": f"sqlite:///{tmp_path}/replica.db"},
        SPAYON_API_URL=sim.url,
    )

    with shop.app.app_context():
        shop.db.metadata.create_all(shop.db.engines["replica"])

        for engine in shop.db.engines.values():
            with engine.begin() as connection:
                row = {"id": "A1", "price": "1000", "currency": "AMD", "paid_times": 0}
                connection.execute(insert(shop.orders).values(row))

    shop.clock.now = sim.clock.now()
    # The shop's own query goes to the replica, which is its own affair.
    shop.spayon.handlers.functions["on_paid"].clear()
    yield shop

    with shop.app.app_context():
        shop.db.engines["replica"].dispose()

    dispose(shop)


def _statuses(shop: Shop, engine: str | None) -> list[str]:
    with shop.app.app_context(), shop.db.engines[engine].connect() as connection:
        return list(connection.scalars(text("SELECT status FROM spayon_payment")))


def test_all_that_is_written_and_shown_is_in_the_primary_database(
    routed: Shop, sim: Simulator
) -> None:
    seen: list[tuple[Any, ...]] = []
    typed: list[str] = []

    @routed.spayon.on_details
    def note(payment: Any, details: Any) -> None:
        typed.append(payment.reference and details["email"])

    @routed.spayon.on_paid
    def look(payment: Any) -> None:
        seen.append((payment.status, payment.session_url, payment.expires_at, payment.created_at))

    location = post_checkout(routed, email="ani@example.com").location
    session_id = location.rpartition("/")[2]
    assert post_checkout(routed).location == location
    assert typed == ["ani@example.com"]

    assert routed.deliver(report(session_id)) == 200
    assert routed.deliver(report(session_id)) == 200

    page = routed.app.test_client().get(f"/pay/return?session_id={session_id}")
    assert page.status_code == 200
    # An order's number proves nothing: its page says that the order is paid.
    assert post_checkout(routed).location == "/pay/checkout/A1"
    assert [each[:2] for each in seen] == [("paid", location)]
    assert _statuses(routed, None) == ["paid"]
    assert _statuses(routed, "replica") == []


def test_reconcile_works_on_the_primary_database(routed: Shop, sim: Simulator) -> None:
    paid_in_silence(sim, post_checkout(routed).location.rpartition("/")[2])
    routed.clock.step(60)

    assert reconcile(routed).changed == {"paid": 1}
    assert _statuses(routed, None) == ["paid"]
    assert _statuses(routed, "replica") == []


def _collect() -> None:
    # In SQLAlchemy 2.0 the default of a mixin's column keeps the last table that was made of it.
    Spayon(SQLAlchemy())
    gc.collect()


def test_a_shop_that_has_sold_something_can_be_freed() -> None:
    shop = make_shop()
    shop.add_pending()
    assert shop.deliver(report()) == 200
    dispose(shop)
    freed: list[weakref.ref[Any]] = [weakref.ref(shop.db), weakref.ref(shop.spayon)]

    del shop
    _collect()

    assert [each() for each in freed] == [None, None]
