"""Fixtures: the shops of the promise tests, and a real server before each of them."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import text

from spayon_flask.simulator import Simulator
from tests.crashes.gate import Gate
from tests.crashes.queue import use_queue
from tests.crashes.server import Server
from tests.databases import ENGINES
from tests.promises.conftest import any_shop
from tests.promises.conftest import clean_shop
from tests.promises.conftest import databases
from tests.promises.conftest import fleet
from tests.promises.conftest import gateway
from tests.promises.conftest import port
from tests.promises.conftest import server_shop
from tests.shop import Shop


__all__ = ["any_shop", "clean_shop", "databases", "fleet", "gateway", "port", "server_shop"]


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


@pytest.fixture(scope="session", params=ENGINES)
def crashing(
    request: pytest.FixtureRequest,
    clean_shop: Callable[[str], Shop],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Crashing]:
    """A shop behind three workers of gunicorn, on each of the three databases."""
    shop = clean_shop(request.param)

    with shop.app.app_context():
        shop.db.session.execute(text("DROP TABLE IF EXISTS queue"))
        shop.db.session.execute(text("CREATE TABLE queue (job INTEGER)"))
        shop.db.session.commit()

    folder = tmp_path_factory.mktemp("gate")
    url = shop.app.config["SQLALCHEMY_DATABASE_URI"]
    names = {"SPAYON_TESTS_GATE": str(folder), "SPAYON_TESTS_DATABASE": url}

    with Gate(folder) as gate, Server("tests.crashes.app:create_app()", 3, **names) as server:
        yield Crashing(shop, server, gate)


@pytest.fixture
def crash(
    crashing: Crashing, clean_shop: Callable[[str], Shop], request: pytest.FixtureRequest
) -> Crashing:
    """The same, with nothing in it."""
    engine = request.node.callspec.params["crashing"]
    shop = clean_shop(engine)

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
        yield simulator
