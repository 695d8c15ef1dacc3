"""Fixtures of the neighbours: a gateway, a shop beside an extension, and a Redis."""

import os
from collections.abc import Callable, Iterator

import pytest
import redis
from flask import Flask

from tests.needs import missing
from tests.neighbours.shop import Gateway, Parts, make_app, make_parts, mount

#: The whole shop's own tests, which `test_whole_shop` runs as a customer does.
collect_ignore = ["whole_shop_tests"]

#: Sets an extension up beside a shop, and returns both.
Beside = Callable[[Callable[[Flask], object]], tuple[Flask, Parts]]


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """Run a simulator whose clock moves only when it is stepped."""
    with Gateway() as running:
        yield running


@pytest.fixture(params=["first", "between", "last"])
def beside(request: pytest.FixtureRequest, gateway: Gateway) -> Beside:
    """Set an extension up before all else, between `init_app` and the blueprint, or last."""

    def set_up(extend: Callable[[Flask], object]) -> tuple[Flask, Parts]:
        app, parts = make_app(**gateway.config()), make_parts()
        if request.param == "first":
            extend(app)

        mount(parts, app, between=extend if request.param == "between" else None)
        if request.param == "last":
            extend(app)

        return app, parts

    return set_up


@pytest.fixture(scope="session")
def redis_url() -> str:
    """The URL of a Redis that answers."""
    url = os.environ.get("SPAYON_TESTS_REDIS", "redis://127.0.0.1:6379/15")

    with redis.Redis.from_url(url) as server:
        try:
            server.ping()

        except redis.ConnectionError:
            missing("a Redis server")

    return url
