"""Reports: those about no payment of ours (`unknown`), and those handed over again (`dispatch`)."""

from __future__ import annotations

from typing import Any

import click
from flask.cli import with_appcontext

from ..errors import InvalidPayloadError
from ..reports import Report
from ..state import Current
from .command import Command
from .inputs import person
from .inputs import reason
from .output import callback_fields
from .output import print_json
from .output import print_table
from .output import when


_UNKNOWN = """List the reports that belong to no payment of this shop, or note that you looked at
one.

Without --all only those that nobody has looked at. `doctor` warns of these for a week. --seen takes
the number in the first column.
"""

_DISPATCH = """Hand callback rows over to the dispatcher again, whatever became of them before.

CALLBACK_ID is the `id` that `show --json` tells. Only rows that changed a payment are handed over.
What still waits to be handed over the first time is the work of `reconcile`.
"""


def create_unknown(current: Current) -> click.Command:
    """Return the command for the current app."""

    @click.command("unknown", cls=Command, help=_UNKNOWN)
    @click.option("--seen", type=int, metavar="ID", help="This was looked at.")
    @click.option("--because", metavar="TEXT", help="With what result; kept with the report.")
    @click.option("--by", metavar="NAME", help="Who looked; else the user of this shell.")
    @click.option("--all", "all_", is_flag=True, help="Also those that somebody looked at.")
    @click.option("--json", "as_json", is_flag=True, help="For scripts.")
    @with_appcontext
    def unknown(
        seen: int | None, because: str | None, by: str | None, all_: bool, as_json: bool
    ) -> None:
        state = current()

        if seen is None:
            _list(state.storage.notes.unknown(unseen=not all_), as_json=as_json)
            return

        why = reason(because, "name the report with --seen")
        noted = state.storage.notes.seen(seen, by=person(by), because=why, now=state.clock())

        if not noted:
            raise click.ClickException(
                f"no unknown report {seen} that nobody has looked at yet: "
                f"`flask {state.name} unknown --all` lists them"
            )

        click.echo(f"noted: report {seen} was looked at")

    return unknown


def _list(found: Any, *, as_json: bool) -> None:
    if as_json:
        print_json([callback_fields(each) for each in found])

    elif not found:
        click.echo("no unknown reports")

    else:
        print_table(
            ("ID", "RECEIVED (UTC)", "STATUS", "ORDER", "PAYMENT SESSION", "LOOKED AT"),
            [
                (
                    str(each.id),
                    when(each.received_at),
                    each.status,
                    _order_in(each.body),
                    each.session_id,
                    f"by {each.seen_by}: {each.seen_because}" if each.seen_at else "",
                )
                for each in found
            ],
        )


def _order_in(body: bytes) -> str:
    """Return the order that a stored report names; an old body may have been removed."""
    try:
        return Report.from_json(bytes(body)).order_id or ""

    except InvalidPayloadError:
        return ""


def create_dispatch(current: Current) -> click.Command:
    """Return the command for the current app."""

    @click.command("dispatch", cls=Command, help=_DISPATCH)
    @click.argument("callback_ids", metavar="CALLBACK_ID...", type=int, nargs=-1, required=True)
    @with_appcontext
    def dispatch(callback_ids: tuple[int, ...]) -> None:
        state = current()

        if state.handlers.dispatcher is None:
            raise click.ClickException("the shop has registered no dispatcher")

        failed = 0

        for callback_id in callback_ids:
            taken = state.storage.outbox.hand_over_again(callback_id, now=state.clock())
            failed += not taken
            click.echo(f"callback {callback_id}: {'handed over' if taken else 'NOT handed over'}")

        if failed:
            raise click.ClickException(
                "no such row that changed a payment, or the dispatcher failed: then the log says "
                "why, and reconcile tries again"
            )

    return dispatch
