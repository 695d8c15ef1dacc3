"""The demo store, in process: no simulator, and a folder of its own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from demo_app import create_app, db
from tests.shop import CONFIG

OpenStore = Callable[..., Flask]


@pytest.fixture
def open_store(tmp_path: Path) -> Iterator[OpenStore]:
    """Open the store as often as the test likes, always in the same folder."""
    opened: list[Flask] = []

    def open_one(**config: object) -> Flask:
        opened.append(create_app(str(tmp_path), **{**CONFIG, **config}))
        return opened[-1]

    yield open_one

    for app in opened:
        with app.app_context():
            db.engine.dispose()


@pytest.fixture
def store(open_store: OpenStore) -> Flask:
    """Open the store for a test client, which knows no CSRF tokens."""
    return open_store(WTF_CSRF_ENABLED=False)
