"""The catalogue of fixtures: what every test may ask for, and how it runs.

A shop is built once for each database and process, and is empty for every test (`tests.kept`).
Whoever needs other settings calls `shop.configure(...)`; whoever changes the app itself (routes,
templates, listeners, tables) asks for `own_shop`.

What runs on PostgreSQL, on MariaDB or in Chromium is `thorough`: `.ci/run` runs all of it, and
`make test` only what is marked `always` besides. Each promise has a test on each database that is.
"""

import os
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from weakref import finalize

import hypothesis
import pytest
from blinker import NamedSignal
from flask import Flask, has_app_context
from hypothesis import HealthCheck, Phase
from jinja2 import FileSystemBytecodeCache
from playwright.sync_api import Browser
from sqlalchemy import event
from sqlalchemy.pool import ConnectionPoolEntry, Pool
from werkzeug.serving import make_server

from spayon_flask import signals
from spayon_flask.simulator import Simulator
from tests.counts import Counting
from tests.databases import ENGINES, MEMORY, Databases
from tests.gateway import Gateway
from tests.kept import KeptShops, KeptSimulator, dispose, in_process
from tests.listening import listening
from tests.pages.browser import chromium
from tests.shop import Clock, Shop, make_shop

__all__ = ["dispose"]

SIGNALS = [each for each in vars(signals).values() if isinstance(each, NamedSignal)]

# `make test` finds the same today and tomorrow; `make thorough` looks where nobody has looked yet.
hypothesis.settings.register_profile(
    "repeatable",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=20,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
hypothesis.settings.register_profile(
    "thorough",
    derandomize=False,
    deadline=None,
    max_examples=300,
    # To explain a failure traces every line, which takes longer than all the rest.
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
hypothesis.settings.load_profile("repeatable")


def pytest_configure(config: pytest.Config) -> None:
    """Count what is dear."""
    config.pluginmanager.register(Counting())


def pytest_xdist_auto_num_workers() -> int | None:
    """Three workers on two cores: many tests wait for a browser, a server or a time-out."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None

    return (os.cpu_count() or 1) * 3 // 2


@event.listens_for(Pool, "connect")
def _close_with_its_pool(connection: object, record: ConnectionPoolEntry) -> None:
    """Many tests make a shop of their own and drop it; its drivers warn of what it left open."""
    if type(connection).__module__ in ("sqlite3", "psycopg"):
        finalize(record, _close, connection, os.getpid())


def _close(connection: Any, pid: int) -> None:
    # A process that was forked has the connections of this one, which goes on with them.
    if os.getpid() == pid:
        connection.close()


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """Receivers that a test has connected end with it: they cost the next one statements."""
    before = {signal: dict(signal.receivers) for signal in SIGNALS}
    yield

    for signal, receivers in before.items():
        if signal.receivers != receivers:
            signal._clear_state()

    assert not has_app_context(), "the test has left an app context open"


@pytest.fixture(scope="session", autouse=True)
def _compiled_templates() -> Iterator[None]:
    """Each template is compiled once in a process, whichever app shows it."""
    with TemporaryDirectory(dir=MEMORY) as folder:
        Flask.jinja_options = {"bytecode_cache": FileSystemBytecodeCache(folder)}
        yield


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, started once: Playwright runs only once in a process."""
    with chromium() as browser:
        yield browser


# Databases.


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Databases]:
    """One database on each engine for this process, for tests that define tables."""
    made = Databases(tmp_path_factory.mktemp("databases"), f"spayon_test_{worker_id}")
    yield made
    made.close()


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> str:
    """The URL of a database without tables on each of the three engines."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'shop.db'}"

    return databases.empty(request.param)


# Shops.


@pytest.fixture(scope="session")
def kept(worker_id: str) -> Iterator[KeptShops]:
    """The kept shops, for fixtures that need another engine or another way to build them."""
    with TemporaryDirectory(dir=MEMORY) as folder:
        shops = KeptShops(lambda: Databases(Path(folder), f"spayon_kept_{worker_id}"))
        yield shops
        shops.close()


@pytest.fixture
def shop(kept: KeptShops) -> Shop:
    """A shop on SQLite in memory."""
    return kept.shop("memory")


@pytest.fixture
def file_shop(kept: KeptShops) -> Shop:
    """A shop on SQLite in a file, which other threads and processes can open."""
    return kept.shop("sqlite")


@pytest.fixture(params=ENGINES)
def any_shop(request: pytest.FixtureRequest, kept: KeptShops) -> Shop:
    """A shop on each of the three engines."""
    return kept.shop(request.param)


@pytest.fixture(params=ENGINES[1:])
def server_shop(request: pytest.FixtureRequest, kept: KeptShops) -> Shop:
    """A shop on each of the two database servers, where two transactions write at a time."""
    return kept.shop(request.param)


@pytest.fixture
def own_shop() -> Iterator[Callable[..., Shop]]:
    """Return `make_shop`: each shop that it makes ends with the test, whatever becomes of it."""
    with ExitStack() as stack:

        def make(*arguments: str, **options: object) -> Shop:
            shop = make_shop(*arguments, **options)  # type: ignore[arg-type]  # checked there
            stack.callback(dispose, shop)
            return shop

        yield make


# Gateways.


@pytest.fixture(scope="session")
def port() -> int:
    """A port on which only a test listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="session")
def kept_simulator() -> Iterator[KeptSimulator]:
    """The simulator of this process, for fixtures that renew it."""
    with KeptSimulator() as simulator:
        yield simulator


@pytest.fixture
def sim(kept_simulator: KeptSimulator) -> Simulator:
    """A simulator whose clock moves only when it is stepped."""
    simulator = kept_simulator.renew(time_scale=0, seed=1)
    simulator.clock.set(Clock().now)
    return simulator


@pytest.fixture
def gateway(any_shop: Shop, kept_simulator: KeptSimulator) -> Simulator:
    """The gateway of `any_shop`: its callbacks come in process, and its clock stands still."""
    simulator = kept_simulator.renew(time_scale=0, seed=7, transport=in_process(any_shop))
    simulator.clock.set(any_shop.clock())
    any_shop.configure(SPAYON_API_URL=simulator.url)
    return simulator


@pytest.fixture
def scripted() -> Iterator[Gateway]:
    """A gateway that answers just as it is told to, and says "paid" until then."""
    with Gateway() as gateway:
        yield gateway


@pytest.fixture
def live_shop(sim: Simulator, file_shop: Shop) -> Iterator[Shop]:
    """A shop on a real port, with a file of SQLite, that pays through `sim`."""
    server = make_server("127.0.0.1", 0, file_shop.app, threaded=True)
    file_shop.clock.now = sim.clock.now()
    file_shop.configure(SPAYON_API_URL=sim.url, SPAYON_PUBLIC_URL=f"http://127.0.0.1:{server.port}")

    with listening(server):
        yield file_shop


#: What makes a test dear: the copies on these databases, and everything in a browser.
SERVERS = frozenset(ENGINES[1:])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave what is dear out of `make test`, unless it is marked `always`."""
    for item in items:
        in_browser = "browser" in getattr(item, "fixturenames", ())
        on_server = SERVERS & {*re.findall(r"[a-z]+", item.name.partition("[")[2])}

        if in_browser:
            item.add_marker("browser")

        if (in_browser or on_server) and item.get_closest_marker("always") is None:
            item.add_marker("thorough")
