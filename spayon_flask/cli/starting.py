"""Starting: what an app that lacks settings does at the command line."""

from __future__ import annotations

import click
from flask.cli import ScriptInfo

from ..errors import ConfigError


#: The commands of Flask that serve payers.
_SERVING = ("run",)


class StartError(ConfigError, click.ClickException):
    """A `ConfigError` that the command line shows without a traceback, and exits with 1."""

    def __init__(self, message: str) -> None:
        click.ClickException.__init__(self, message)


def for_command_line(error: ConfigError) -> ConfigError:
    """Return *error*, as a `StartError` if a command is about to run."""
    running = click.get_current_context(silent=True) is not None
    return StartError(str(error)) if running else error


def takes_no_payments() -> bool:
    """Return True if this process runs a command of Flask that serves no payer.

    `flask db upgrade`, `flask routes` and `flask --help` work without secrets.
    """
    context = click.get_current_context(silent=True)

    # Other programs with click, such as Celery's worker, may take payments.
    if context is None or context.find_object(ScriptInfo) is None:
        return False

    return context.info_name not in _SERVING
