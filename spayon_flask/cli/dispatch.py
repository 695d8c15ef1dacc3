"""`flask spayon dispatch`: give the dispatcher a callback row again."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from ..state import Current
from .command import Command


_HELP = """Hand callback rows over to the dispatcher again, whatever became of them before.

CALLBACK_ID is the `id` that `show --json` tells. Only rows that changed a payment are handed over.
What still waits to be handed over the first time is the work of `reconcile`.
"""


def create_command(current: Current) -> click.Command:
    """Return the command for the current app."""

    @click.command("dispatch", cls=Command, help=_HELP)
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
