"""Fixtures for the pages."""

from pathlib import Path

import pytest
from flask import Flask

from .shown import Show
from .shown import make_app
from .shown import shown_by


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    return make_app(tmp_path)


@pytest.fixture
def show(app: Flask) -> Show:
    """Show a page in a state and give its HTML."""
    return shown_by(app)
