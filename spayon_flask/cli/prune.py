"""`flask spayon prune`: remove what is old and guards nothing."""

from __future__ import annotations

from datetime import datetime
from datetime import timedelta

import click
from flask.cli import with_appcontext

from ..loading import load_order
from ..state import AppState
from ..state import Current
from ..storage.pruning import Old
from ..transitions import ENDED
from .ages import Age
from .command import Command
from .output import print_json


#: Younger rows may yet be told of: a bank may be slow, and a late `paid` counts.
YOUNGEST = timedelta(days=30)

_HELP = """Remove payments that ended long ago, with their callback rows.

Only `failed` and `expired` ones that were quiet for that time, and with --paid those `paid` ones
whose order the order loader no longer knows: while it does, the row is what keeps the order from
being paid twice. Reports about payments that nobody knows go too, but for those that say `paid`.
What is pending, under review or waiting for the dispatcher stays.
"""


def create_command(current: Current) -> click.Command:
    """Return the command for the current app."""

    @click.command("prune", cls=Command, help=_HELP)
    @click.option("--older-than", type=Age(), required=True, help="Such as 400d, at least 30d.")
    @click.option("--paid", is_flag=True, help="Also paid ones whose order is gone.")
    @click.option("--batch", type=click.IntRange(1, 10_000), default=500, show_default=True)
    @click.option("--dry-run", is_flag=True, help="Only count.")
    @click.option("--json", "as_json", is_flag=True, help="For scripts.")
    @with_appcontext
    def prune(older_than: timedelta, paid: bool, batch: int, dry_run: bool, as_json: bool) -> None:
        state = current()

        if older_than < YOUNGEST:
            raise click.ClickException(
                "--older-than must be at least 30d: younger payments may yet be reported on"
            )

        counts = Pruning(state, batch, dry_run=dry_run).run(
            (*ENDED, *(["paid"] if paid else [])), state.clock() - older_than
        )

        if as_json:
            print_json(counts)
            return

        would = "would remove" if dry_run else "removed"
        kept = f"; kept {counts['kept']} whose order the shop still has" if paid else ""
        stuck = counts["stuck"]
        kept += f"; left {stuck} that a row of the shop refers to" if stuck else ""
        click.echo(
            f"{would} {counts['payments']} payments, {counts['callbacks']} callbacks and "
            f"{counts['unknown']} unknown reports{kept}"
        )

    return prune


class Pruning:
    """Remove in transactions of *batch* payments, so that nothing waits for long."""

    def __init__(self, state: AppState, batch: int, *, dry_run: bool) -> None:
        self._storage = state.storage
        self._handlers = state.handlers
        self._batch = batch
        self._dry_run = dry_run

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

    def _may_go(self, old: Old) -> bool:
        """Return True if no order depends on the row; in doubt, one does."""
        if old.status != "paid":
            return True

        # A loader that goes by unguessable codes does not know the order by its number.
        keys = {old.order_key or old.order_id, old.order_id}

        try:
            return all(load_order(self._handlers, key) is None for key in keys)

        except Exception:  # noqa: BLE001  abort(404) may mean "not yours", and the rest nothing
            return False
