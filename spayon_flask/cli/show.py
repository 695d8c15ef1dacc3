"""`flask spayon show`: one payment, and all that was told of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from flask.cli import with_appcontext

from ..state import Current
from .command import Command
from .output import callback_fields
from .output import payment_fields
from .output import price_of
from .output import print_json
from .output import print_pairs
from .output import print_table
from .output import when


def create_command(current: Current) -> click.Command:
    """Return the command for the current app."""

    @click.command("show", cls=Command, help="Show a payment, its callbacks and their verdicts.")
    @click.argument("session_id")
    @click.option("--json", "as_json", is_flag=True, help="For scripts.")
    @with_appcontext
    def show(session_id: str, as_json: bool) -> None:
        state = current()
        queries = state.storage.queries
        payment = queries.find(session_id=session_id) or queries.find(reference=session_id)
        told = queries.callbacks((payment and payment.session_id) or session_id)

        if payment is None and not told:
            raise click.ClickException(
                f"no payment session {session_id}: `flask {state.name} payments` lists them"
            )

        if as_json:
            print_json(
                {
                    "payment": payment and payment_fields(payment),
                    "callbacks": [callback_fields(each) for each in told],
                }
            )
            return

        if payment is None:
            click.echo("No payment of ours, but Spayon has told us of this payment session.")

        else:
            _print_payment(payment)

        _print_callbacks(told)

    return show


def _print_payment(payment: Any) -> None:
    declines = [
        f"{each.get('responseCode', '?')} {each.get('responseReasonEn', '')}".strip()
        for each in payment.decline_reasons or ()
    ]
    reviewed = f"{when(payment.reviewed_at)} by {payment.reviewed_by}: {payment.reviewed_because}"
    print_pairs(
        {
            "order": payment.order_id,
            "payment session": payment.session_id or "(Spayon never answered)",
            "reference": payment.reference,
            "status": payment.status,
            "review": payment.review or "",
            "reviewed": reviewed if payment.reviewed_at else "",
            "product": payment.product_name or "",
            "price": price_of(payment),
            "superseded": "yes, the order was changed" if payment.superseded else "",
            "declined": "; ".join(declines),
            "created": when(payment.created_at),
            "payable until": when(payment.expires_at) if payment.status == "pending" else "",
            "last change": when(payment.updated_at),
            "asked about": f"{payment.attempts} times, next {when(payment.due_at)}"
            if payment.due_at
            else "",
        }
    )


def _print_callbacks(told: Sequence[Any]) -> None:
    if not told:
        click.echo("\nSpayon has told us nothing yet.")
        return

    click.echo()
    print_table(
        ("RECEIVED (UTC)", "SOURCE", "STATUS", "VERDICT", "DISPATCHER"),
        [
            (
                when(each.received_at),
                each.source.replace("_", " "),
                each.status,
                each.verdict,
                f"waits since {when(each.dispatch_at)}" if each.dispatch_at else "",
            )
            for each in told
        ],
    )
