"""`flask spayon reconcile`: ask about payments whose callback never came."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager

import click
from flask.cli import with_appcontext

from ..reconcile import JOBS
from ..reconcile import Step
from ..reconcile import Summary
from ..state import AppState
from ..state import Current
from .command import Command
from .stopping import stop_on_signals


logger = logging.getLogger(__name__)

_HELP = """Ask Spayon about every pending payment that is due.

Any number of these may run, on any number of hosts: they share the work, and none asks what another
has just asked. Exits with 0 when every due payment got an answer, 1 when something is wrong on our
side (settings, credentials, a handler), 2 when some were left unanswered. SIGTERM and Ctrl-C finish
what is under way.
"""

Show = Callable[[Step], object]


def create_command(current: Current) -> click.Command:
    """Return the command for the current app."""

    @click.command("reconcile", cls=Command, help=_HELP)
    @click.option(
        "--watch", type=click.FloatRange(0.1), metavar="SECONDS", help="Run again and again."
    )
    @click.option(
        "--jobs", type=click.IntRange(1, 64), default=JOBS, show_default=True, help="Calls at once."
    )
    @click.option("--limit", type=click.IntRange(1), help="At most this many payments a run.")
    @with_appcontext
    def reconcile(watch: float | None, jobs: int, limit: int | None) -> None:
        state = current()

        with stop_on_signals() as stop:
            summary = _run(state, jobs, limit, stop)

            # Wrong credentials stay wrong until a restart: the supervisor is to hear of it.
            while watch and not summary.refused and not stop.wait(watch):
                summary = _run_again(state, jobs, limit, stop)

        raise click.exceptions.Exit(summary.exit_code)

    return reconcile


def _run(
    state: AppState,
    jobs: int,
    limit: int | None,
    stop: threading.Event,
    *,
    watching: bool = False,
) -> Summary:
    due = state.storage.schedule.count_due(now=state.clock())
    state.storage.queries.look_again()

    with _progress(min(due, limit or due)) as show:
        summary = state.reconciler.run(jobs=jobs, limit=limit, progress=show, stop=stop)

    # A watch that finds nothing to do, over and over, is not worth a line.
    if not watching or summary != Summary():
        click.echo(str(summary))

    return summary


def _run_again(state: AppState, jobs: int, limit: int | None, stop: threading.Event) -> Summary:
    try:
        return _run(state, jobs, limit, stop, watching=True)

    except Exception:
        # The database may be away for a moment, and will be back.
        logger.exception("reconcile failed; the watch goes on", extra={"account": state.name})
        return Summary(failed=1)


@contextmanager
def _progress(length: int) -> Iterator[Show]:
    """Yield what shows each step: a bar on a terminal, else a line where something happened."""
    if not sys.stdout.isatty():
        yield _say
        return

    with click.progressbar(length=length, label="asking Spayon", show_pos=True) as bar:
        yield lambda _: bar.update(1)


def _say(step: Step) -> None:
    if step.status or step.problem:
        click.echo(f"{step.session_id or 'no payment session'}: {step.status or step.problem}")
