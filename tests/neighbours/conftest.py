"""Fixtures of the neighbours: a gateway that reaches an app in this process."""

from collections.abc import Iterator

import pytest

from tests.neighbours.shop import Gateway

#: The whole shop's own tests, which `test_whole_shop` runs as a customer does.
collect_ignore = ["whole_shop_tests"]


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """Run a simulator whose clock moves only when it is stepped."""
    with Gateway() as running:
        yield running
