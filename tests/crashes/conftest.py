"""Fixtures: the shops of the promise tests, and a real server before each of them."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text

from spayon_flask.simulator import Simulator
from tests.crashes.gate import Gate
from tests.crashes.private import PrivateMariaDB, PrivatePostgreSQL, PrivateServer
from tests.crashes.queue import use_queue
from tests.crashes.server import Server
from tests.databases import ENGINES
from tests.kept import KeptShops
from tests.promises.conftest import fleet
from tests.shop import Shop, make_shop

__all__ = ["fleet"]


@dataclass(frozen=True)
class Crashing:
    """A *shop* in this process, a *server* of the same shop, and the *gate* of its workers."""

    shop: Shop
    server: Server
    gate: Gate

    def jobs(self) -> list[int]:
        """Return what the dispatcher has put on its queue."""
        with self.shop.app.app_context():
            return list(self.shop.db.session.scalars(text("SELECT job FROM queue")))


def make_crashing_shop(database_url: str) -> Shop:
    """Return a shop with a queue, on which its dispatcher puts what it is given."""
    shop = make_shop(database_url)

    with shop.app.app_context():
        shop.db.session.execute(text("DROP TABLE IF EXISTS queue"))
        shop.db.session.execute(text("CREATE TABLE queue (job INTEGER)"))
        shop.db.session.commit()

    return shop


@pytest.fixture(scope="session", params=ENGINES)
def crashing(
    request: pytest.FixtureRequest,
    kept: KeptShops,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Crashing]:
    """A shop behind three workers of gunicorn, on each of the three databases."""
    shop = kept.shop(request.param, make_crashing_shop)
    folder = tmp_path_factory.mktemp("gate")
    url = shop.app.config["SQLALCHEMY_DATABASE_URI"]
    names = {"SPAYON_TESTS_GATE": str(folder), "SPAYON_TESTS_DATABASE": url}

    with Gate(folder) as gate, Server("tests.crashes.app:create_app()", 3, **names) as server:
        yield Crashing(shop, server, gate)


@pytest.fixture
def crash(crashing: Crashing, kept: KeptShops, request: pytest.FixtureRequest) -> Crashing:
    """The same, with nothing in it."""
    shop = kept.shop(request.node.callspec.params["crashing"], make_crashing_shop)
    assert shop is crashing.shop, "a test has changed the shop, whose server goes on with it"

    with shop.app.app_context():
        shop.db.session.execute(text("DELETE FROM queue"))
        shop.db.session.commit()

    use_queue(shop)

    return crashing


@pytest.fixture
def gateway_of_crash(crash: Crashing, port: int) -> Iterator[Simulator]:
    """A gateway that knows the payment sessions of the crashing shop."""
    with Simulator(port=port, time_scale=0, seed=7) as simulator:
        simulator.clock.set(crash.shop.clock())
        crash.shop.configure(SPAYON_API_URL=simulator.url)
        yield simulator


@pytest.fixture(params=["postgresql", "mariadb"])
def private(request: pytest.FixtureRequest) -> Iterator[PrivateServer]:
    """A server that nobody else uses."""
    # Not below pytest's own folder, which other users, such as `postgres`, cannot enter.
    folder = Path(tempfile.mkdtemp(prefix="spayon-"))
    made = {"postgresql": PrivatePostgreSQL, "mariadb": PrivateMariaDB}[request.param]
    server: PrivateServer = made(folder)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)
