"""`flask spayon reconcile`: ask about payments whose callback never came."""

from __future__ import annotations

import logging
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import NamedTuple

import click
from flask import current_app
from flask.cli import with_appcontext

from ..reconcile import JOBS, Step, Summary
from ..state import Accounts, AppState, Vendors
from ..storage.database_errors import database_trouble
from .command import Command, named_vendor, stop_on_signals

logger = logging.getLogger(__name__)

#: A watch whose runs fail for so long ends, so that its supervisor hears of it.
GIVE_UP = timedelta(minutes=5)

#: A terminal with fewer columns has no room for more than the bar itself.
_NARROW = 80

_HELP = """Ask Spayon about every pending payment that is due.

Any number of these may run, on any number of hosts: they share the work, and none asks what another
has just asked. Exits with 0 when every due payment got an answer, 1 when something is wrong on our
side (settings, credentials, a handler), 2 when some were left unanswered. SIGTERM and Ctrl-C finish
what is under way.
"""

Show = Callable[[Step], object]


class _Wish(NamedTuple):
    """What the command line asks of each run."""

    jobs: int
    limit: int | None
    quiet: bool


def create_reconcile(accounts: Accounts) -> click.Command:
    """Return the command for the current app."""

    @click.command("reconcile", cls=Command, help=_HELP)
    @click.option(
        "--watch", type=click.FloatRange(0.1), metavar="SECONDS", help="Run again and again."
    )
    @click.option(
        "--jobs", type=click.IntRange(1, 64), default=JOBS, show_default=True, help="Calls at once."
    )
    @click.option("--limit", type=click.IntRange(1), help="At most this many payments a run.")
    @click.option("--quiet", is_flag=True, help="Say nothing unless something went badly.")
    @with_appcontext
    def reconcile(watch: float | None, jobs: int, limit: int | None, quiet: bool) -> None:
        vendor, wish = named_vendor(), _Wish(jobs, limit, quiet)

        def meant() -> AppState | Vendors:
            return accounts() if vendor is None else accounts().kept(vendor)

        with stop_on_signals() as stop:
            if watch is None:
                summary = _run(meant(), wish, stop, watching=False)

            else:
                summary = _watch(meant, wish, watch, stop)

        raise click.exceptions.Exit(summary.exit_code)

    return reconcile


def _watch(meant: Accounts, wish: _Wish, seconds: float, stop: threading.Event) -> Summary:
    """Run every so many *seconds*; raises the error of a run if none has succeeded for minutes."""
    # A context of its own, here and below: what the shop looks up for the credentials is no
    # transaction that stays open, and a run that failed leaves nothing that would fail the next.
    with current_app.app_context():
        state = meant()
        clock, ids = state.clock, {"account": state.name}

    last_success = clock()
    watching = False
    said: str | None = None

    while True:
        try:
            with current_app.app_context():
                summary = _run(meant(), wish, stop, watching=watching)

            last_success, said, watching = clock(), None, True

        except Exception as error:
            if clock() - last_success > GIVE_UP:
                raise

            trouble = database_trouble(error)

            # The database may be away for a moment, and will be back. Each cause is said once.
            if trouble is None:
                logger.exception("reconcile failed; the watch goes on", extra=ids)

            elif trouble != said:
                logger.error(  # noqa: TRY400  the cause is no bug
                    "reconcile failed, the watch goes on: %s", trouble, extra=ids
                )

            summary, said = Summary(failed=1), trouble

        # Wrong credentials stay wrong until a restart: the supervisor is to hear of it.
        if summary.refused or stop.wait(seconds):
            return summary


def _run(
    state: AppState | Vendors, wish: _Wish, stop: threading.Event, *, watching: bool
) -> Summary:
    if not watching:
        _name_strange_accounts(state)

    due = state.count_due()

    with _progress(min(due, wish.limit or due), quiet=wish.quiet) as show:
        summary = state.reconcile(jobs=wish.jobs, limit=wish.limit, progress=show, stop=stop)

    # A watch that finds nothing to do, over and over, is not worth a line.
    if summary.exit_code or not (wish.quiet or (watching and summary == Summary())):
        click.echo(str(summary))

    return summary


def _name_strange_accounts(state: AppState | Vendors) -> None:
    """Log the accounts whose payments nobody would ask about: those of a name that was changed."""
    for name in state.storage.inspection.strange_accounts(current_app.extensions["spayon"]):
        logger.warning("no Spayon object has the account of some payments", extra={"account": name})


@contextmanager
def _progress(length: int, *, quiet: bool) -> Iterator[Show]:
    """Yield what shows each step: a bar on a terminal, else a line where something happened."""
    if quiet or not sys.stdout.isatty():
        yield _Lines(quiet=quiet)
        return

    narrow = shutil.get_terminal_size().columns < _NARROW

    with click.progressbar(
        length=length,
        label="" if narrow else "asking Spayon",
        show_pos=True,
        show_eta=not narrow,
        show_percent=False,
        width=16 if narrow else 36,
    ) as bar:
        yield lambda _: bar.update(1)


class _Lines:
    """Write a line for each payment that changed, and one for each problem, however often."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._said: set[str] = set()

    def __call__(self, step: Step) -> None:
        name = step.session_id or "no payment session"

        if step.problem is None:
            if step.status and not self._quiet:
                click.echo(f"{name}: {step.status}")

        elif step.problem not in self._said:
            self._said.add(step.problem)
            click.echo(f"{name}: {step.problem}")
