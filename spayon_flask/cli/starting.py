"""Starting: an app that cannot start says why in one line, where a command was to run."""

from __future__ import annotations

import click

from ..errors import ConfigError


class StartError(ConfigError, click.ClickException):
    """A `ConfigError` that the command line shows without a traceback, and exits with 1."""

    def __init__(self, message: str) -> None:
        click.ClickException.__init__(self, message)


def for_command_line(error: ConfigError) -> ConfigError:
    """Return *error*, as a `StartError` where a command is about to run."""
    running = click.get_current_context(silent=True) is not None
    return StartError(str(error)) if running else error
