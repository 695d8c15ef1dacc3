"""Testing: help for a shop's own tests.

As a pytest plugin it is asked for with `pytest_plugins = ["spayon_flask.testing"]`, and works on
the fixture `app` of the shop; `connect` and `Payer` do the same for an app that no fixture gives.
"""

from __future__ import annotations

import pytest
from flask import Flask

from ..simulator import Simulator
from .callbacks import post_callback
from .effects import happens
from .effects import happens_once
from .payer import Payer
from .payer import connect


__all__ = [
    "Payer",
    "connect",
    "happens",
    "happens_once",
    "post_callback",
    "spayon_payer",
    "spayon_simulator",
]


@pytest.fixture
def spayon_simulator(app: Flask) -> Simulator:
    """Stand in for Spayon, within the process, for the shop's fixture `app`."""
    return connect(app)


@pytest.fixture
def spayon_payer(app: Flask, spayon_simulator: Simulator) -> Payer:
    """Pay orders of the shop's fixture `app`."""
    return Payer(app, spayon_simulator)
