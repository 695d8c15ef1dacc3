"""Fixtures: a shop on each of the three databases, and a gateway whose clock stands still."""

from __future__ import annotations

import socket
from collections.abc import Callable
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from spayon_flask.simulator import Simulator
from spayon_flask.simulator.transport import Answer
from tests.conftest import dispose
from tests.databases import ENGINES
from tests.databases import Databases
from tests.promises.helpers import Clean
from tests.promises.helpers import Fleet
from tests.shop import Shop
from tests.shop import make_shop


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Databases]:
    """One database on each engine for all tests of this process."""
    made = Databases(tmp_path_factory.mktemp("databases"), f"spayon_promises_{worker_id}")
    yield made
    made.close()


@pytest.fixture(scope="session")
def port() -> int:
    """The port that the gateway listens on, whenever there is one."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="session")
def clean_shop(databases: Databases, port: int) -> Iterator[Callable[[str], Shop]]:
    """Return a function that returns the shop of an engine, with nothing in it."""
    kept: dict[str, Clean] = {}

    def shop_on(engine: str) -> Shop:
        if engine not in kept:
            url = databases.url(engine)
            kept[engine] = Clean(make_shop(url, SPAYON_API_URL=f"http://127.0.0.1:{port}"))

        return kept[engine].shop()

    yield shop_on

    for clean in kept.values():
        dispose(clean.shop())


@pytest.fixture(params=ENGINES)
def any_shop(request: pytest.FixtureRequest, clean_shop: Callable[[str], Shop]) -> Shop:
    """A shop on each of the three engines, built once and empty for every test."""
    return clean_shop(request.param)


@pytest.fixture(params=ENGINES[1:])
def server_shop(request: pytest.FixtureRequest, clean_shop: Callable[[str], Shop]) -> Shop:
    """A shop on each of the two database servers, where two transactions write at a time."""
    return clean_shop(request.param)


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    """More instances of a shop, each with its own connections, as on other hosts."""
    fleet = Fleet()
    yield fleet
    fleet.close()


@pytest.fixture
def gateway(any_shop: Shop, port: int) -> Iterator[Simulator]:
    """A gateway that delivers to the shop in process; its clock moves with `pass_time` only."""

    def carry(url: str, body: bytes, headers: object) -> Answer:
        path = urlsplit(url).path
        # For mypy: a mapping, of which the signature above says no more than that it is an object.
        answer = any_shop.app.test_client().post(path, data=body, headers=dict(headers))  # type: ignore[call-overload]
        return Answer(answer.status_code, answer.data)

    with Simulator(port=port, time_scale=0, seed=7, transport=carry) as simulator:
        simulator.clock.set(any_shop.clock())
        yield simulator
