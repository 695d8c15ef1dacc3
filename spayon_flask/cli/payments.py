"""`flask spayon payments`: payments, newest first."""

from __future__ import annotations

from datetime import datetime
from datetime import timedelta

import click
from flask.cli import with_appcontext

from ..state import Current
from .ages import Since
from .command import Command
from .output import payment_fields
from .output import price_of
from .output import print_json
from .output import print_table
from .output import when


STATUSES = ("pending", "failed", "expired", "paid", "review")


def create_command(current: Current) -> click.Command:
    """Return the command for the current app."""

    @click.command("payments", cls=Command, help="List payments, newest first.")
    @click.option("--status", type=click.Choice(STATUSES))
    @click.option("--order", "order_id", metavar="ID", help="Only those of this order.")
    @click.option("--since", type=Since(), help="Created since: 2026-11-22, or 7d, or 36h.")
    @click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
    @click.option("--json", "as_json", is_flag=True, help="For scripts.")
    @with_appcontext
    def payments(
        status: str | None,
        order_id: str | None,
        since: datetime | timedelta | None,
        limit: int,
        as_json: bool,
    ) -> None:
        state = current()

        if isinstance(since, timedelta):
            since = state.clock() - since

        found = state.storage.queries.payments(
            status=status, order_id=order_id, since=since, limit=limit
        )

        if as_json:
            print_json([payment_fields(each) for each in found])
            return

        if not found:
            click.echo("no payments")
            return

        print_table(
            ("CREATED (UTC)", "ORDER", "STATUS", "PRICE", "PAYMENT SESSION"),
            [
                (
                    when(each.created_at),
                    each.order_id,
                    f"{each.status}: {each.review}" if each.status == "review" else each.status,
                    price_of(each),
                    each.session_id or "(never answered)",
                )
                for each in found
            ],
        )

    return payments
