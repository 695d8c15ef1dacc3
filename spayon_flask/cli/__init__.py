"""The commands `flask spayon ...`."""

from __future__ import annotations

from flask.cli import AppGroup

from ..extension import Extension
from . import doctor
from . import payments
from . import prune
from . import reconcile
from . import review
from . import show
from . import templates
from . import trigger


_COMMANDS = (doctor, payments, prune, reconcile, review, show, templates, trigger)


def create_group(spayon: Extension) -> AppGroup:
    """Return the command group of *spayon*, under its name."""
    group = AppGroup(spayon.name, help=f"Payments through Spayon (account {spayon.name}).")

    for module in _COMMANDS:
        group.add_command(module.create_command(spayon))

    return group
