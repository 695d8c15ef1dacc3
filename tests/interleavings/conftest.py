"""Fixtures: a world on each of the three databases, made once for this process."""

import logging
from collections.abc import Callable, Iterator
from functools import cache

import pytest

from tests.databases import ENGINES
from tests.interleavings.explore import Explorer
from tests.interleavings.world import worlds


@pytest.fixture(scope="session")
def explorer_on(worker_id: str) -> Iterator[Callable[[str], Explorer]]:
    """Return a function that returns the explorer of an engine."""
    with worlds(f"spayon_interleavings_{worker_id}") as world_on:
        yield cache(lambda engine: Explorer(world_on(engine)))


@pytest.fixture(params=ENGINES)
def explorer(
    request: pytest.FixtureRequest, explorer_on: Callable[[str], Explorer]
) -> Iterator[Explorer]:
    """The explorer of each engine; what is logged meanwhile is meant."""
    logging.disable(logging.CRITICAL)
    yield explorer_on(request.param)
    logging.disable(logging.NOTSET)
