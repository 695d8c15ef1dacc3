"""`flask spayon refresh`: what Spayon says of one payment, now."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from ..state import Current
from .command import Command
from .output import payment_fields
from .output import print_json


_HELP = """Ask Spayon about one payment, and record the answer.

Also about one that has failed or expired, and one that is paid: what comes too late changes
nothing, but a `paid` counts. NAME is the id of the payment session, or our own reference.
"""


def create_command(current: Current) -> click.Command:
    """Return the command for the current app."""

    @click.command("refresh", cls=Command, help=_HELP)
    @click.argument("name", metavar="SESSION_ID")
    @click.option("--json", "as_json", is_flag=True, help="For scripts.")
    @with_appcontext
    def refresh(name: str, as_json: bool) -> None:
        state = current()
        queries = state.storage.queries
        payment = queries.named(name)

        if payment is None:
            raise click.ClickException(f"no payment session {name}")

        if payment.session_id is None:
            raise click.ClickException(
                "Spayon never answered when this payment was begun: there is nothing to ask about"
            )

        payment_id = payment.id
        answer = state.reconciler.ask_now(payment_id)
        payment = queries.get(payment_id)

        if as_json:
            print_json(
                {"asked": answer.asked, "said": answer.status, "payment": payment_fields(payment)}
            )
            return

        if not answer.asked:
            click.echo("somebody has asked just now, so Spayon was not asked again")

        else:
            click.echo(f"Spayon says: {answer.status or 'no such payment session'}")

        click.echo(
            f"order {payment.order_id}, payment session {payment.session_id}: {payment.status}"
        )

    return refresh
