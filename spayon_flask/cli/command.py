"""Command: how our commands start, stop and say what is wrong; and the group that holds them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from importlib import import_module
from typing import Any

import click
from flask.cli import AppGroup, ScriptInfo, with_appcontext

from ..errors import ConfigError, SpayonError
from ..state import Accounts, AppState, Vendors
from ..storage.database_errors import database_trouble

#: Exit code of a command that was called wrongly: EX_USAGE of sysexits.h. click's own 2 is what
#: `doctor` and `reconcile` say if something could not be told.
USAGE = 64

#: The module of each command.
_COMMANDS = {
    "doctor": "doctor",
    "payments": "payments",
    "prune": "upkeep",
    "reconcile": "upkeep",
    "refund": "payment",
    "rehearse": "develop",
    "review": "payment",
    "show": "show",
    "templates": "develop",
    "trigger": "develop",
    "unknown": "payment",
}

#: These work for all vendors at once, unless one is named.
_OF_ALL = ("doctor", "reconcile")

#: Where a context of click keeps the accounts of the app, and the vendor that is named.
_ACCOUNTS, _VENDOR = "spayon_flask.accounts", "spayon_flask.vendor"


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


def command(text: str) -> Callable[[Callable[..., None]], click.Command]:
    """Make a function a command of ours, with the help *text*."""

    def decorate(function: Callable[..., None]) -> click.Command:
        return click.command(cls=Command, help=text)(with_appcontext(function))

    return decorate


def current() -> AppState:
    """Return the account that the command line names; the only one, if there are no vendors."""
    meta = click.get_current_context().meta
    accounts: AppState | Vendors = meta[_ACCOUNTS]()
    return accounts.kept(meta.get(_VENDOR))


def all_meant() -> AppState | Vendors:
    """Return the account that the command line names, or those of all vendors."""
    meta = click.get_current_context().meta
    return current() if meta.get(_VENDOR) else meta[_ACCOUNTS]()


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

    # That one serves payers.
    return context.info_name != "run"


class _Group(AppGroup):
    """A group whose commands are imported when somebody asks for them: a web worker does not.

    If there are *vendors*, each command has an option `--vendor`.
    """

    def __init__(self, name: str, accounts: Accounts, *, vendors: bool) -> None:
        super().__init__(name, help=f"Payments through Spayon (account {name}).")
        self._accounts = accounts
        self._vendors = vendors

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        """Read the command line; a wrong one exits with 64."""
        with usage_errors():
            return super().make_context(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; if it was called wrongly, exit with 64."""
        ctx.meta[_ACCOUNTS] = self._accounts

        with usage_errors():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands, ours and those that the shop has added."""
        return sorted({*_COMMANDS, *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or None if there is none of that name."""
        if cmd_name in _COMMANDS and cmd_name not in self.commands:
            module = import_module(f".{_COMMANDS[cmd_name]}", __package__)
            # A copy: other groups have the same command, with vendors or without.
            found = copy(getattr(module, cmd_name))

            if self._vendors:
                option = _vendor_option(required=cmd_name not in _OF_ALL)
                found.params = [*found.params, option]

            self.add_command(found)

        return super().get_command(ctx, cmd_name)


def _vendor_option(*, required: bool) -> click.Option:
    def remember(ctx: click.Context, _: click.Parameter, vendor: str | None) -> None:
        ctx.meta[_VENDOR] = vendor

    return click.Option(
        ["--vendor"],
        required=required,
        metavar="NAME",
        help="Whose payments." if required else "Whose payments; by default those of all vendors.",
        expose_value=False,
        callback=remember,
    )


def create_group(name: str, accounts: Accounts, *, vendors: bool) -> AppGroup:
    """Return the command group of the account *name*; *accounts* returns those of the app."""
    return _Group(name, accounts, vendors=vendors)
