"""Fixtures: more instances of a shop."""

from collections.abc import Iterator

import pytest

from tests.promises.helpers import Fleet


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    """More instances of a shop, each with its own connections, as on other hosts."""
    fleet = Fleet()
    yield fleet
    fleet.close()
