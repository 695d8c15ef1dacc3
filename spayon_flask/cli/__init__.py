"""The commands `flask spayon ...`."""

from __future__ import annotations

from importlib import import_module

import click
from flask.cli import AppGroup

from ..extension import Extension


#: Each is a module of this package with `create_command`.
_COMMANDS = ("doctor", "payments", "prune", "reconcile", "review", "show", "templates", "trigger")


class _Group(AppGroup):
    """A group whose commands are imported when somebody asks for them: a web worker does not."""

    def __init__(self, spayon: Extension) -> None:
        super().__init__(spayon.name, help=f"Payments through Spayon (account {spayon.name}).")
        self._spayon = spayon

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands, ours and those that the shop has added."""
        return sorted({*_COMMANDS, *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or None where there is none of that name."""
        if cmd_name in _COMMANDS and cmd_name not in self.commands:
            module = import_module(f".{cmd_name}", __name__)
            self.add_command(module.create_command(self._spayon))

        return super().get_command(ctx, cmd_name)


def create_group(spayon: Extension) -> AppGroup:
    """Return the command group of *spayon*, under its name."""
    return _Group(spayon)
