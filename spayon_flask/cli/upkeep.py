"""Upkeep: what a shop runs again and again: `reconcile` and `prune`."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from types import FrameType

import click
from flask import current_app

from ..domain.handlers import load_order
from ..domain.transitions import ENDED
from ..reconcile import JOBS, Step, Summary
from ..state import AppState
from ..storage.database_errors import database_trouble
from ..storage.ledger import Filter
from ..storage.pruning import Old
from .command import all_meant, command, current
from .terminal import Age, print_json

logger = logging.getLogger(__name__)

#: These ask a command to come to its end.
_SIGNALS = (signal.SIGTERM, signal.SIGINT)

#: A watch whose runs fail for so long ends, so that its supervisor hears of it.
GIVE_UP = timedelta(minutes=5)

#: Younger rows may yet be told of: a bank may be slow, and a late `paid` counts.
YOUNGEST = timedelta(days=30)

#: Younger bodies may yet be asked for, by a buyer or by Spayon's people.
YOUNGEST_BODY = timedelta(days=7)

_RECONCILE = """Ask Spayon about every pending payment that is due.

Any number of these may run, on any number of hosts: they share the work, and none asks what another
has just asked. Exits with 0 when every due payment got an answer, 1 when something is wrong on our
side (settings, credentials, a handler), 2 when some were left unanswered. SIGTERM and Ctrl-C finish
what is under way.
"""

_PRUNE = """Remove payments that ended long ago, with their callback rows; or the bodies of reports.

With --older-than only `failed` and `expired` payments that were quiet for that time, and with
--paid those `paid` ones whose order the order loader no longer knows by its number: while it does,
the row is what keeps the order from being paid twice. A paid order with a key of its own stays, for
its key may have been changed. Reports about payments that nobody knows go too, but for
those that say `paid`. What is pending, under review or waiting for the dispatcher stays.

With --bodies the rows stay, and so does what was read of a report. Its exact bytes, in which Spayon
may have put something personal, go.
"""


@command(_RECONCILE)
@click.option("--watch", type=click.FloatRange(0.1), metavar="SECONDS", help="Run again and again.")
@click.option(
    "--jobs", type=click.IntRange(1, 64), default=JOBS, show_default=True, help="Calls at once."
)
@click.option("--limit", type=click.IntRange(1), help="At most this many payments a run.")
@click.option("--quiet", is_flag=True, help="Say nothing unless something went badly.")
def reconcile(watch: float | None, jobs: int, limit: int | None, quiet: bool) -> None:
    with stop_on_signals() as stop:
        run = partial(_run, jobs=jobs, limit=limit, quiet=quiet, stop=stop)
        summary = _watch(run, watch, stop) if watch else run(watching=False)

    raise click.exceptions.Exit(summary.exit_code)


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Yield an event that SIGTERM and SIGINT set; the second one ends the program at once."""
    stop = threading.Event()
    # Python lets only the main thread set handlers; elsewhere the caller's own stay.
    is_main = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in _SIGNALS if is_main}

    def handle(number: int, _: FrameType | None) -> None:
        stop.set()
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, handle)

    try:
        yield stop

    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _watch(run: Callable[..., Summary], seconds: float, stop: threading.Event) -> Summary:
    """Repeat *run* after *seconds*; raises its error if none has succeeded for minutes."""
    # A context of its own, here and below: what the shop looks up for the credentials is no
    # transaction that stays open, and a run that failed leaves nothing that would fail the next.
    with current_app.app_context():
        state = all_meant()
        clock, ids = state.clock, {"account": state.name}

    last_success = clock()
    watching = False
    said: str | None = None

    while True:
        try:
            with current_app.app_context():
                summary = run(watching=watching)

            last_success, said, watching = clock(), None, True

        except Exception as error:
            if clock() - last_success > GIVE_UP:
                raise

            trouble = database_trouble(error)

            # The database may be away for a moment, and will be back. Each cause is said once.
            if trouble is None or trouble != said:
                what = trouble or type(error).__name__
                text = "reconcile failed, the watch goes on: %s"
                logger.exception(text, what, extra=ids, exc_info=trouble is None)

            summary, said = Summary(failed=1), trouble

        # Wrong credentials stay wrong until a restart: the supervisor is to hear of it.
        if summary.refused or stop.wait(seconds):
            return summary


def _run(
    *, jobs: int, limit: int | None, quiet: bool, stop: threading.Event, watching: bool
) -> Summary:
    state = all_meant()

    if not watching:
        # Those of a name that was changed: nobody would ask about their payments.
        for name in state.storage.inspection.strange_accounts(current_app.extensions["spayon"]):
            ids = {"account": name}
            logger.warning("no Spayon object has the account of some payments", extra=ids)

        state.storage.queries.look_again()

    show = _shower(quiet=quiet)
    summary = state.reconcile(jobs=jobs, limit=limit, progress=show, stop=stop)

    # A watch that finds nothing to do, over and over, is not worth a line.
    if summary.exit_code or not (quiet or (watching and summary == Summary())):
        click.echo(str(summary))

    return summary


def _shower(*, quiet: bool) -> Callable[[Step], None]:
    """Return what writes a line for each payment that changed, and one for each problem."""
    said: set[str] = set()

    def show(step: Step) -> None:
        name = step.session_id or "no payment session"

        if step.problem is None:
            if step.status and not quiet:
                click.echo(f"{name}: {step.status}")

        elif step.problem not in said:
            said.add(step.problem)
            click.echo(f"{name}: {step.problem}")

    return show


@command(_PRUNE)
@click.option("--older-than", type=Age(), help="Payments: such as 400d, at least 30d.")
@click.option("--paid", is_flag=True, help="Also paid ones whose order is gone.")
@click.option("--bodies", type=Age(), help="Bodies of reports: such as 90d, at least 7d.")
@click.option("--batch", type=click.IntRange(1, 10_000), default=500, show_default=True)
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def prune(
    older_than: timedelta | None,
    paid: bool,
    bodies: timedelta | None,
    batch: int,
    dry_run: bool,
    as_json: bool,
) -> None:
    state = current()
    _check(older_than, bodies, paid=paid)
    now = state.clock()
    pruning = Pruning(state, batch, dry_run=dry_run)
    counts: dict[str, int] = {}

    # Bodies first: a dry run, which removes no rows, then counts the same.
    if bodies is not None:
        counts["bodies"] = pruning.remove_bodies(now - bodies)

    if older_than is not None:
        counts |= pruning.run((*ENDED, *(["paid"] if paid else [])), now - older_than)

    if as_json:
        print_json(counts)
        return

    would = "would remove" if dry_run else "removed"

    if bodies is not None:
        click.echo(f"{would} the bodies of {counts['bodies']} reports")

    if older_than is not None:
        stuck = counts["stuck"]
        click.echo(
            f"{would} {counts['payments']} payments, {counts['callbacks']} callbacks and "
            f"{counts['unknown']} unknown reports"
            + (f"; kept {counts['kept']} whose order the shop still has" if paid else "")
            + (f"; left {stuck} that a row of the shop refers to" if stuck else "")
        )


def _check(older_than: timedelta | None, bodies: timedelta | None, *, paid: bool) -> None:
    if older_than is None and (bodies is None or paid):
        raise click.UsageError("say how old: --older-than 400d, or --bodies 90d")

    if older_than is not None and older_than < YOUNGEST:
        raise click.ClickException("--older-than must be at least 30d: a late report may come")

    if bodies is not None and bodies < YOUNGEST_BODY:
        raise click.ClickException("--bodies must be at least 7d: somebody may ask for one")


class Pruning:
    """Remove in transactions of *batch* payments, so that nothing waits for long."""

    def __init__(self, state: AppState, batch: int, *, dry_run: bool) -> None:
        self._handlers = state.handlers
        self._rows = state.storage.pruning
        self._batch = batch
        self._dry_run = dry_run
        newest = state.storage.ledger.page(Filter(), limit=1).payments
        self._has_keys = any(each.order_key not in (None, each.order_id) for each in newest)

    def run(self, statuses: tuple[str, ...], before: datetime) -> dict[str, int]:
        """Remove what ended with one of *statuses* and was quiet since *before*."""
        counts = {"payments": 0, "callbacks": 0, "unknown": 0, "kept": 0, "stuck": 0}
        remove = self._rows.count if self._dry_run else self._rows.remove
        find = partial(self._rows.find, statuses=statuses, before=before, limit=self._batch)
        last = 0

        while old := find(after_id=last):
            last = old[-1].payment_id
            gone = [each for each in old if self._may_go(each)]
            counts["kept"] += len(old) - len(gone)

            if gone:
                for name, number in remove(gone, before=before)._asdict().items():
                    counts[name] += number

        rows = self._rows
        counts["unknown"] = self._remove(rows.count_unknown, rows.remove_unknown, before)
        return counts

    def remove_bodies(self, before: datetime) -> int:
        """Remove the bodies of reports from *before* that nobody has to read any more."""
        return self._remove(self._rows.count_bodies, self._rows.remove_bodies, before)

    def _remove(
        self, count: Callable[..., int], remove: Callable[..., int], before: datetime
    ) -> int:
        if self._dry_run:
            return count(before=before)

        total = 0

        while removed := remove(before=before, limit=self._batch):
            total += removed

        return total

    def _may_go(self, old: Old) -> bool:
        """Return True if no order depends on the row; in doubt, one does."""
        if old.status != "paid":
            return True

        # The loader does not know such an order by its number, and its key may have been changed.
        if self._has_keys or old.order_key not in (None, old.order_id):
            return False

        try:
            return load_order(self._handlers, old.order_id) is None

        except Exception:  # noqa: BLE001  abort(404) may mean "not yours", and the rest nothing
            return False
