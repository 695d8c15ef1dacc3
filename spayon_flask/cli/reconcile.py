"""`flask spayon reconcile`: ask about payments whose callback never came."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from ..extension import Extension
from ..reconcile import JOBS


def create_command(spayon: Extension) -> click.Command:
    """Return the command for *spayon*."""

    @click.command("reconcile", help="Ask Spayon about pending payments that are due.")
    @click.option("--jobs", type=click.IntRange(1, 64), default=JOBS, show_default=True)
    @click.option("--limit", type=click.IntRange(1), help="At most this many payments.")
    @with_appcontext
    def reconcile(jobs: int, limit: int | None) -> None:
        summary = spayon.reconcile(jobs=jobs, limit=limit)
        changed = ", ".join(f"{n} {status}" for status, n in sorted(summary.changed.items()))
        click.echo(
            f"asked {summary.asked}, changed {changed or 'none'}, unanswered {summary.unanswered}, "
            f"handed over {summary.handed_over}"
        )
        raise click.exceptions.Exit(summary.exit_code)

    return reconcile
