"""Fixtures of the commands: a shop in a file, which other threads and processes can open."""

from collections.abc import Callable, Iterator

import pytest
from click.testing import Result

from tests.cli.serving import serving
from tests.shop import Shop

Run = Callable[..., Result]


@pytest.fixture
def shop(file_shop: Shop) -> Shop:
    """A shop on SQLite in a file, with one order."""
    file_shop.add_order()
    return file_shop


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
