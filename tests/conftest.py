"""Fixtures that every test may ask for."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from weakref import finalize

import pytest
from blinker import NamedSignal
from playwright.sync_api import Browser
from sqlalchemy import event
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.pool import Pool

from spayon_flask import signals
from spayon_flask.simulator import Simulator
from tests.databases import ENGINES
from tests.databases import Databases
from tests.live import shop_at
from tests.pages.browser import chromium
from tests.shop import Shop
from tests.shop import make_shop


SIGNALS = [each for each in vars(signals).values() if isinstance(each, NamedSignal)]


def pytest_xdist_auto_num_workers() -> int | None:
    """Three workers on two cores: many tests wait for a browser, a server or a time-out."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None

    return (os.cpu_count() or 1) * 3 // 2


@event.listens_for(Pool, "connect")
def _close_with_its_pool(connection: object, record: ConnectionPoolEntry) -> None:
    """Many tests make a shop of their own and drop it; Python 3.13 warns of what it left open."""
    if isinstance(connection, sqlite3.Connection):
        finalize(record, connection.close)


@pytest.fixture(autouse=True)
def _nobody_listens_on() -> Iterator[None]:
    """Receivers that a test has connected end with it: they cost the next one statements."""
    before = {signal: dict(signal.receivers) for signal in SIGNALS}
    yield

    for signal, receivers in before.items():
        if signal.receivers != receivers:
            signal._clear_state()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, started once: Playwright runs only once in a process."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def shop() -> Iterator[Shop]:
    """A shop on SQLite in memory."""
    shop = make_shop()
    yield shop
    dispose(shop)


@pytest.fixture(scope="session")
def kept_databases(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Databases]:
    """One database on each engine, which every test of this process finds empty."""
    made = Databases(tmp_path_factory.mktemp("databases"), f"spayon_test_{worker_id}")
    yield made
    made.close()


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest, kept_databases: Databases, tmp_path: Path) -> str:
    """The URL of an empty database on each of the three engines."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'shop.db'}"

    return kept_databases.empty(request.param)


@pytest.fixture
def any_shop(database_url: str) -> Iterator[Shop]:
    """A shop on each of the three engines."""
    shop = make_shop(database_url)
    yield shop
    dispose(shop)


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """A simulator on a free port, whose clock moves only when it is stepped."""
    with Simulator(time_scale=0, seed=1) as simulator:
        yield simulator


@pytest.fixture
def live_shop(sim: Simulator, tmp_path: Path) -> Iterator[Shop]:
    """A shop on a real port, with a file of SQLite, that pays through `sim`."""
    with shop_at(sim, f"sqlite:///{tmp_path / 'shop.db'}") as shop:
        yield shop
        dispose(shop)


def dispose(shop: Shop) -> None:
    """Close every connection of *shop*."""
    with shop.app.app_context():
        shop.db.session.remove()
        shop.db.engine.dispose()
