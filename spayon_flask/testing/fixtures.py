"""Fixtures: the pytest plugin."""

from __future__ import annotations

import pytest
from flask import Flask

from ..simulator import Simulator
from .payer import Payer
from .payer import connect


@pytest.fixture
def spayon_simulator(app: Flask) -> Simulator:
    """Stand in for Spayon, within the process, for the shop's fixture `app`."""
    return connect(app)


@pytest.fixture
def spayon_payer(app: Flask, spayon_simulator: Simulator) -> Payer:
    """Pay orders of the shop's fixture `app`."""
    return Payer(app, spayon_simulator)
