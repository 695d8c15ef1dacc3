"""Payment: one payment shown (`show`), asked about (`refresh`), and decided upon (`review`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from flask.cli import with_appcontext

from ..orders import without_mark
from ..reports import removal_of
from ..state import AppState
from ..state import Current
from .command import Command
from .terminal import callback_fields
from .terminal import payment_fields
from .terminal import person
from .terminal import price_of
from .terminal import print_json
from .terminal import print_pairs
from .terminal import print_table
from .terminal import reason
from .terminal import reported_of
from .terminal import when


_SHOW = """Show a payment, its callbacks and their verdicts.

NAME is the id of a payment session, our own reference, or the id of an order: then each attempt to
pay the order is shown.
"""

_REFRESH = """Ask Spayon about one payment, and record the answer.

Also about one that has failed or expired, and one that is paid: what comes too late changes
nothing, but a `paid` counts. NAME is the id of the payment session, or our own reference.
"""

_REVIEW = """List the payments under review, or settle one.

Spayon says that they were paid, but the price, the currency or the order is not what was asked for,
or the order is paid already. --accept makes the payment `paid` and ships the goods, --refuse makes
it `failed`; either runs the shop's handler once. Money that came is given back in Spayon's admin
panel: a refusal does not do that.
"""


def create_show(current: Current) -> click.Command:
    """Return the command for the current app."""

    @click.command("show", cls=Command, help=_SHOW)
    @click.argument("name")
    @click.option("--json", "as_json", is_flag=True, help="For scripts.")
    @with_appcontext
    def show(name: str, as_json: bool) -> None:
        state = current()
        queries = state.storage.queries
        payment = queries.named(name)
        # The id of an attempt stands in Spayon's panel.
        by_order = queries.attempts(name) or queries.attempts(without_mark(name))
        attempts = [payment] if payment else by_order

        if attempts:
            _show(state, attempts, as_json=as_json)
            return

        told = queries.callbacks(name)

        if not told:
            raise click.ClickException(
                f"no payment session and no order {name}: `flask {state.name} payments` lists them"
            )

        if as_json:
            print_json({"payment": None, "callbacks": [callback_fields(each) for each in told]})
            return

        click.echo("No payment of ours, but Spayon has told us of this payment session.")
        _print_callbacks(told)

    return show


def _show(state: AppState, attempts: Sequence[Any], *, as_json: bool) -> None:
    callbacks = state.storage.queries.callbacks
    told = [callbacks(each.session_id) if each.session_id else [] for each in attempts]

    if as_json:
        shown = [
            {
                "payment": payment_fields(payment),
                "callbacks": [callback_fields(each) for each in reports],
            }
            for payment, reports in zip(attempts, told, strict=True)
        ]
        print_json(shown[0] if len(shown) == 1 else {"attempts": shown})
        return

    for number, (payment, reports) in enumerate(zip(attempts, told, strict=True), 1):
        if len(attempts) > 1:
            click.echo(f"{'' if number == 1 else chr(10)}Attempt {number} of {len(attempts)}\n")

        _print_payment(payment)
        _print_callbacks(reports)


def _print_payment(payment: Any) -> None:
    declines = [
        f"{each.get('responseCode', '?')} {each.get('responseReasonEn', '')}".strip()
        for each in payment.decline_reasons or ()
    ]
    reviewed = f"{when(payment.reviewed_at)} by {payment.reviewed_by}: {payment.reviewed_because}"
    refunded = f"{when(payment.refunded_at)} by {payment.refunded_by}: {payment.refunded_because}"
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
            "paid at": when(payment.paid_at),
            "reported": reported_of(payment),
            "refund noted": refunded if payment.refunded_at else "",
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

    removed = sum(removal_of(bytes(each.body)) is not None for each in told)

    if removed:
        click.echo(
            f"\nThe exact bytes of {removed} of these reports were removed on purpose, by "
            "`prune --bodies`. --json tells what stayed, and the SHA-256 digests."
        )


def create_refresh(current: Current) -> click.Command:
    """Return the command for the current app."""

    @click.command("refresh", cls=Command, help=_REFRESH)
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


def create_review(current: Current) -> click.Command:
    """Return the command for the current app."""

    @click.command("review", cls=Command, help=_REVIEW)
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
