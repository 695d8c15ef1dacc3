"""Fixtures of the commands: a shop in a file, which other threads and processes can open."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result

from tests.cli.serving import serving
from tests.conftest import dispose
from tests.shop import Shop
from tests.shop import make_shop


Run = Callable[..., Result]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop on SQLite in a file, with one order and its pending payment."""
    shop = make_shop(f"sqlite:///{tmp_path / 'shop.db'}")
    shop.add_order()
    yield shop
    dispose(shop)


@pytest.fixture
def url(shop: Shop) -> Iterator[str]:
    """The base URL of the shop, which is running."""
    with serving(shop.app) as url:
        yield url


@pytest.fixture
def run(shop: Shop) -> Run:
    """Run `flask spayon ...` in the shop."""

    def run(*arguments: str) -> Result:
        return shop.app.test_cli_runner().invoke(args=["spayon", *arguments])

    return run
