"""Command: how our commands start, stop and say what is wrong; and the group that holds them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import FrameType
from typing import Any

import click
from flask.cli import AppGroup
from flask.cli import ScriptInfo

from ..errors import ConfigError
from ..errors import SpayonError
from ..state import Current
from ..storage.database_errors import database_trouble


#: Exit code of a command that was called wrongly: EX_USAGE of sysexits.h. click's own 2 is what
#: `doctor` and `reconcile` say if something could not be told.
USAGE = 64

#: The commands of Flask that serve payers.
_SERVING = ("run",)

#: These ask a command to come to its end.
_SIGNALS = (signal.SIGTERM, signal.SIGINT)

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
    "review": "payment",
    "show": "payment",
    "templates": "templates",
    "trigger": "reports",
    "unknown": "reports",
}


class Command(click.Command):
    """A command that says what is wrong in one line, without a traceback, and exits with 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)

        except SpayonError as error:
            raise click.ClickException(str(error)) from error

        except Exception as error:
            if (trouble := database_trouble(error)) is None:
                raise

            raise click.ClickException(trouble) from error


@contextmanager
def usage_errors() -> Iterator[None]:
    """Let a command that was called wrongly exit with `USAGE`."""
    try:
        yield

    except click.UsageError as error:
        # The class's is for all of click; an error of its own may have another.
        error.exit_code = USAGE  # type: ignore[misc]  # a ClassVar to mypy
        raise


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


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Yield an event that SIGTERM and SIGINT set; the second one ends the program at once."""
    stop = threading.Event()

    # Python lets only the main thread set handlers; elsewhere the caller's own stay.
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def handle(number: int, _: FrameType | None) -> None:
        stop.set()
        signal.signal(number, before[signal.Signals(number)])

    for number in _SIGNALS:
        signal.signal(number, handle)

    try:
        yield stop

    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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
