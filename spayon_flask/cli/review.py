"""`flask spayon review`: a person's word on payments that were held back."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from ..state import AppState
from ..state import Current
from .command import Command
from .inputs import person
from .inputs import reason
from .output import payment_fields
from .output import price_of
from .output import print_json
from .output import print_table
from .output import reported_of
from .output import when


_HELP = """List the payments under review, or settle one.

Spayon says that they were paid, but the price, the currency or the order is not what was asked for,
or the order is paid already. --accept makes the payment `paid` and ships the goods, --refuse makes
it `failed`; either runs the shop's handler once. Money that came is given back in Spayon's admin
panel: a refusal does not do that.
"""


def create_review(current: Current) -> click.Command:
    """Return the command for the current app."""

    @click.command("review", cls=Command, help=_HELP)
    @click.argument("session_id", required=False)
    @click.option("--accept", is_flag=True, help="It is paid: the goods go out.")
    @click.option("--refuse", is_flag=True, help="It is not: the payment has failed.")
    @click.option("--because", metavar="TEXT", help="Why; kept with the payment.")
    @click.option("--by", metavar="NAME", help="Who decides; else the user of this shell.")
    @click.option("--json", "as_json", is_flag=True, help="For scripts.")
    @with_appcontext
    def review(
        session_id: str | None,
        accept: bool,
        refuse: bool,
        because: str | None,
        by: str | None,
        as_json: bool,
    ) -> None:
        state = current()

        if accept and refuse:
            raise click.UsageError("decide with --accept or with --refuse, and not with both")

        if session_id is None:
            if accept or refuse:
                raise click.UsageError("name the payment session that you decide on")

            _list(state, as_json=as_json)
            return

        if not (accept or refuse):
            raise click.UsageError("decide with --accept or --refuse")

        why = reason(because, "decide with --accept or --refuse")
        storage = state.storage
        payment = storage.queries.find(session_id=session_id)

        if payment is None:
            raise click.ClickException(f"no payment session {session_id}")

        settled = storage.reviews.settle(
            payment.id,
            accept=accept,
            by=person(by),
            because=why,
            now=state.clock(),
        )

        if as_json:
            print_json(payment_fields(settled))

        else:
            click.echo(f"order {settled.order_id}, payment session {session_id}: {settled.status}")

    return review


def _list(state: AppState, *, as_json: bool) -> None:
    found = state.storage.queries.payments(status="review")

    if as_json:
        print_json([payment_fields(each) for each in found])

    elif not found:
        click.echo("nothing is under review")

    else:
        print_table(
            ("SINCE (UTC)", "ORDER", "REASON", "ASKED FOR", "REPORTED", "PAYMENT SESSION"),
            [
                (
                    when(each.updated_at),
                    each.order_id,
                    each.review or "",
                    price_of(each),
                    reported_of(each),
                    each.session_id or "",
                )
                for each in found
            ],
        )
