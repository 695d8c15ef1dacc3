"""Group: the commands `flask spayon ...`, each imported when somebody asks for it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click
from flask.cli import AppGroup

from ..state import Current
from .command import usage_errors


#: The module of each command, which has `create_` and the command's name.
_COMMANDS = {
    "backfill": "rows",
    "dispatch": "reports",
    "doctor": "doctor",
    "payments": "payments",
    "prune": "rows",
    "reconcile": "reconcile",
    "refresh": "payment",
    "rehearse": "rehearse",
    "review": "review",
    "show": "payment",
    "templates": "templates",
    "trigger": "trigger",
    "unknown": "reports",
}


class _Group(AppGroup):
    """A group whose commands are imported when somebody asks for them: a web worker does not."""

    def __init__(self, name: str, current: Current) -> None:
        super().__init__(name, help=f"Payments through Spayon (account {name}).")
        self._current = current

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        """Read the command line; a wrong one exits with 64."""
        with usage_errors():
            return super().make_context(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; if it was called wrongly, exit with 64."""
        with usage_errors():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands, ours and those that the shop has added."""
        return sorted({*_COMMANDS, *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or None if there is none of that name."""
        if cmd_name in _COMMANDS and cmd_name not in self.commands:
            module = import_module(f".{_COMMANDS[cmd_name]}", __package__)
            self.add_command(getattr(module, f"create_{cmd_name}")(self._current))

        return super().get_command(ctx, cmd_name)


def create_group(name: str, current: Current) -> AppGroup:
    """Return the command group of the account *name*; *current* returns the state of the app."""
    return _Group(name, current)
