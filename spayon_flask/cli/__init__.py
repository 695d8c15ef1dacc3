"""The commands `flask spayon ...`."""

from __future__ import annotations

from flask.cli import AppGroup

from ..extension import Extension
from .reconcile import create_command as create_reconcile
from .trigger import create_command as create_trigger


def create_group(spayon: Extension) -> AppGroup:
    """Return the command group of *spayon*, under its name."""
    group = AppGroup(spayon.name, help=f"Payments through Spayon (account {spayon.name}).")
    for create in (create_reconcile, create_trigger):
        group.add_command(create(spayon))

    return group
