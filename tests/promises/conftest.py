"""Fixtures: more instances of a shop, and payments that have begun."""

from collections.abc import Iterator
from typing import Any

import pytest

from spayon_flask.simulator import Simulator
from tests.gateway import Gateway
from tests.promises.helpers import Fleet, order, start
from tests.shop import Shop


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    """More instances of a shop, each with its own connections, as on other hosts."""
    fleet = Fleet()
    yield fleet
    fleet.close()


@pytest.fixture
def twin(request: pytest.FixtureRequest, any_shop: Shop, fleet: Fleet) -> Shop:
    """`any_shop` as it runs on another host, with the same gateway and the same time."""
    if "gateway" in request.fixturenames:
        request.getfixturevalue("gateway")

    return fleet.join(any_shop, any_shop.clock)


@pytest.fixture
def pending_shop(any_shop: Shop) -> Shop:
    """`any_shop` with the order A1, whose payment S1 is pending."""
    any_shop.add_pending()
    return any_shop


@pytest.fixture
def asking_shop(any_shop: Shop, fleet: Fleet, scripted: Gateway) -> Shop:
    """A shop on each of the three engines that asks this gateway."""
    return fleet.join(any_shop, SPAYON_API_URL=scripted.url)


@pytest.fixture
def payment(any_shop: Shop, gateway: Simulator) -> Any:
    """A payment of the order A1 of `any_shop`, which a checkout has begun at the gateway."""
    any_shop.add_order()
    return start(any_shop, order())
