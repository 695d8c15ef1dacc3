"""Fixtures of the neighbours: a gateway that reaches an app in this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.neighbours.shop import Gateway


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """Run a simulator whose clock moves only when it is stepped."""
    with Gateway() as running:
        yield running
