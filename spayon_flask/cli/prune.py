"""Prune: remove old rows, and the bodies of old reports."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import click
from flask.cli import with_appcontext

from ..domain.handlers import load_order
from ..domain.transitions import ENDED
from ..state import AppState, Current
from ..storage.ledger import Filter
from ..storage.pruning import Old
from .command import Command
from .terminal import Age, print_json

#: Younger rows may yet be told of: a bank may be slow, and a late `paid` counts.
YOUNGEST = timedelta(days=30)

#: Younger bodies may yet be asked for, by a buyer or by Spayon's people.
YOUNGEST_BODY = timedelta(days=7)

_PRUNE = """Remove payments that ended long ago, with their callback rows; or the bodies of reports.

With --older-than only `failed` and `expired` payments that were quiet for that time, and with
--paid those `paid` ones whose order the order loader no longer knows by its number: while it does,
the row is what keeps the order from being paid twice. A paid order with a key of its own stays, for
its key may have been changed. Reports about payments that nobody knows go too, but for
those that say `paid`. What is pending, under review or waiting for the dispatcher stays.

With --bodies the rows stay, and so does what was read of a report. Its exact bytes, in which Spayon
may have put something personal, go.
"""


def create_prune(current: Current) -> click.Command:
    """Return the command for the current app."""

    @click.command("prune", cls=Command, help=_PRUNE)
    @click.option("--older-than", type=Age(), help="Payments: such as 400d, at least 30d.")
    @click.option("--paid", is_flag=True, help="Also paid ones whose order is gone.")
    @click.option("--bodies", type=Age(), help="Bodies of reports: such as 90d, at least 7d.")
    @click.option("--batch", type=click.IntRange(1, 10_000), default=500, show_default=True)
    @click.option("--dry-run", is_flag=True, help="Only count.")
    @click.option("--json", "as_json", is_flag=True, help="For scripts.")
    @with_appcontext
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
            click.echo(f"{would} {_said(counts, paid=paid)}")

    return prune


def _check(older_than: timedelta | None, bodies: timedelta | None, *, paid: bool) -> None:
    if older_than is None and (bodies is None or paid):
        raise click.UsageError("say how old: --older-than 400d, or --bodies 90d")

    if older_than is not None and older_than < YOUNGEST:
        raise click.ClickException(
            "--older-than must be at least 30d: younger payments may yet be reported on"
        )

    if bodies is not None and bodies < YOUNGEST_BODY:
        raise click.ClickException(
            "--bodies must be at least 7d: somebody may yet ask what Spayon said"
        )


def _said(counts: Mapping[str, int], *, paid: bool) -> str:
    kept = f"; kept {counts['kept']} whose order the shop still has" if paid else ""
    stuck = f"; left {counts['stuck']} that a row of the shop refers to" if counts["stuck"] else ""
    return (
        f"{counts['payments']} payments, {counts['callbacks']} callbacks and "
        f"{counts['unknown']} unknown reports{kept}{stuck}"
    )


class Pruning:
    """Remove in transactions of *batch* payments, so that nothing waits for long."""

    def __init__(self, state: AppState, batch: int, *, dry_run: bool) -> None:
        self._storage = state.storage
        self._handlers = state.handlers
        self._batch = batch
        self._dry_run = dry_run
        newest = state.storage.ledger.page(Filter(), limit=1).payments
        self._has_keys = any(each.order_key not in (None, each.order_id) for each in newest)

    def run(self, statuses: tuple[str, ...], before: datetime) -> dict[str, int]:
        """Remove what ended with one of *statuses* and was quiet since *before*."""
        counts = {"payments": 0, "callbacks": 0, "unknown": 0, "kept": 0, "stuck": 0}
        retention = self._storage.pruning
        last = 0

        while old := retention.find(
            statuses=statuses, before=before, after_id=last, limit=self._batch
        ):
            last = old[-1].payment_id
            gone = [each for each in old if self._may_go(each)]
            counts["kept"] += len(old) - len(gone)

            if gone:
                removed = (retention.count if self._dry_run else retention.remove)(
                    gone, before=before
                )
                counts["payments"] += removed.payments
                counts["callbacks"] += removed.callbacks
                counts["stuck"] += removed.stuck

        if self._dry_run:
            counts["unknown"] = retention.count_unknown(before=before)

        while not self._dry_run and (
            unknown := retention.remove_unknown(before=before, limit=self._batch)
        ):
            counts["unknown"] += unknown

        return counts

    def remove_bodies(self, before: datetime) -> int:
        """Remove the bodies of reports from *before* that nobody has to read any more."""
        retention = self._storage.pruning

        if self._dry_run:
            return retention.count_bodies(before=before)

        bodies = 0

        while removed := retention.remove_bodies(before=before, limit=self._batch):
            bodies += removed

        return bodies

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
