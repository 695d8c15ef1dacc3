"""Fixtures: a world on each of the three databases, made once for this process."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.databases import ENGINES, Databases
from tests.interleavings.explore import Explorer
from tests.interleavings.world import world_on


@pytest.fixture(scope="session")
def explorer_on(worker_id: str) -> Iterator[Callable[[str], Explorer]]:
    """Return a function that returns the explorer of an engine."""
    # Memory is disk enough for a database that is thrown away.
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None

    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(dir=memory))
        databases = Databases(Path(folder), f"spayon_interleavings_{worker_id}")
        stack.callback(databases.close)
        made: dict[str, Explorer] = {}

        def explorer_on(engine: str) -> Explorer:
            if engine not in made:
                made[engine] = Explorer(stack.enter_context(world_on(databases.url(engine))))

            return made[engine]

        yield explorer_on


@pytest.fixture(params=ENGINES)
def explorer(
    request: pytest.FixtureRequest, explorer_on: Callable[[str], Explorer]
) -> Iterator[Explorer]:
    """The explorer of each engine; what is logged meanwhile is meant."""
    logging.disable(logging.CRITICAL)
    yield explorer_on(request.param)
    logging.disable(logging.NOTSET)
