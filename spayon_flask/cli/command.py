"""Command: how our commands start and stop, and how they say what is wrong."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import click
from flask.cli import ScriptInfo

from ..errors import ConfigError
from ..errors import SpayonError
from ..storage.database_errors import database_trouble


#: Exit code of a command that was called wrongly: EX_USAGE of sysexits.h. click's own 2 is what
#: `doctor` and `reconcile` say if something could not be told.
USAGE = 64

#: The commands of Flask that serve payers.
_SERVING = ("run",)

#: These ask a command to come to its end.
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


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
        error.exit_code = USAGE  # type: ignore[misc]
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
