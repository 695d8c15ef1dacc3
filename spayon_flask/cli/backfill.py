"""`flask spayon backfill`: columns that rows of an earlier release do not have."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from ..state import Current
from .command import Command
from .output import print_json


_HELP = """Fill paid_at and what Spayon reported of earlier payments, from the stored reports.

In transactions of --batch payments, beside the running shop. It may be stopped and run again at any
time: what has its columns is left alone.
"""


def create_command(current: Current) -> click.Command:
    """Return the command for the current app."""

    @click.command("backfill", cls=Command, help=_HELP)
    @click.option("--batch", type=click.IntRange(1, 10_000), default=500, show_default=True)
    @click.option("--json", "as_json", is_flag=True, help="For scripts.")
    @with_appcontext
    def backfill(batch: int, as_json: bool) -> None:
        part = current().storage.backfill
        counts = {"payments": 0, "without_report": 0}
        last = 0

        while filled := part.fill(after_id=last, limit=batch):
            last = filled.last_id
            counts["payments"] += filled.payments
            counts["without_report"] += filled.without_body

        if as_json:
            print_json(counts)
            return

        click.echo(
            f"filled {counts['payments']} payments; {counts['without_report']} of them have no "
            "stored report: they count as paid when they last changed, at the price asked for"
        )

    return backfill
