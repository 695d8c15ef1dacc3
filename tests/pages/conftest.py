"""Fixtures for the pages."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser

from tests.pages.browser import Visit, served
from tests.pages.shown import Show, make_app, shown_by


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    return make_app(tmp_path)


@pytest.fixture
def show(app: Flask) -> Show:
    """Show a page in a state and give its HTML."""
    return shown_by(app)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the pages under the strict policy and give the URL of the shop."""
    with served(make_app(tmp_path_factory.mktemp("shop"))) as url:
        yield url


@pytest.fixture
def visit(browser: Browser, home: str) -> Iterator[Visit]:
    context = browser.new_context()
    yield Visit(context.new_page(), home)
    context.close()
