"""Payment: what a person decides on (`review`), gave back (`refund`), has looked at (`unknown`)."""

from __future__ import annotations

from typing import Any

import click

from ..domain.money import plain, read_price
from ..domain.reports import read_stored
from ..state import AppState
from ..storage.decisions import left_of
from ..storage.ledger import Filter
from .command import command, current
from .terminal import (
    Columns,
    callback_fields,
    payment_fields,
    person,
    price_of,
    print_found,
    print_json,
    reason,
    reported_of,
    when,
)

_REVIEW = """List the payments under review, or settle one.

Spayon says that they were paid, but the price, the currency or the order is not what was asked for,
or the order is paid already. --accept makes the payment `paid` and ships the goods, --refuse makes
it `failed`; either runs the shop's handler once. Money that came is given back in Spayon's admin
panel: a refusal does not do that.
"""

_UNKNOWN = """List the reports that belong to no payment of this shop, or note that you looked at
one.

Without --all only those that nobody has looked at. `doctor` warns of these for a week. --seen takes
the number in the first column.
"""

_REFUND = """Note that a payment was given back in Spayon's panel. This moves no money.

NAME is the id of the payment session, or our own reference. Without --amount all that is left of
the payment is meant. --take-back takes the last note back, which was a mistake.
"""


def _order_in(callback: Any) -> str:
    """Return the order that a stored report names; an old body may have been removed."""
    report = read_stored(callback.body)
    return (report and report.order_id) or ""


_REVIEWS: Columns = {
    "SINCE (UTC)": lambda each: when(each.updated_at),
    "ORDER": lambda each: each.order_id,
    "REASON": lambda each: each.review or "",
    "ASKED FOR": price_of,
    "REPORTED": reported_of,
    "PAYMENT SESSION": lambda each: each.session_id or "",
}

_REPORTS: Columns = {
    "ID": lambda each: str(each.id),
    "RECEIVED (UTC)": lambda each: when(each.received_at),
    "STATUS": lambda each: each.status,
    "ORDER": _order_in,
    "PAYMENT SESSION": lambda each: each.session_id,
    "LOOKED AT": lambda each: f"by {each.seen_by}: {each.seen_because}" if each.seen_at else "",
}


@command(_REVIEW)
@click.argument("session_id", required=False)
@click.option("--accept", is_flag=True, help="It is paid: the goods go out.")
@click.option("--refuse", is_flag=True, help="It is not: the payment has failed.")
@click.option("--because", metavar="TEXT", help="Why; kept with the payment.")
@click.option("--by", metavar="NAME", help="Who decides; else the user of this shell.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def review(
    session_id: str | None,
    accept: bool,
    refuse: bool,
    because: str | None,
    by: str | None,
    as_json: bool,
) -> None:
    state = current()

    if session_id is None and not (accept or refuse):
        found = list(state.storage.ledger.every(Filter(status="review")))
        print_found(found, _REVIEWS, payment_fields, "nothing is under review", as_json=as_json)
        return

    if session_id is None or accept == refuse:
        raise click.UsageError("name a payment session, and decide with --accept or with --refuse")

    why = reason(because, "decide with --accept or --refuse")
    settled = state.storage.decisions.settle(
        _id_of(state, session_id),
        accept=accept,
        by=person(by),
        because=why,
        now=state.clock(),
    )

    if as_json:
        print_json(payment_fields(settled))

    else:
        click.echo(f"order {settled.order_id}, payment session {session_id}: {settled.status}")


@command(_UNKNOWN)
@click.option("--seen", type=int, metavar="ID", help="This was looked at.")
@click.option("--because", metavar="TEXT", help="With what result; kept with the report.")
@click.option("--by", metavar="NAME", help="Who looked; else the user of this shell.")
@click.option("--all", "all_", is_flag=True, help="Also those that somebody looked at.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def unknown(
    seen: int | None, because: str | None, by: str | None, all_: bool, as_json: bool
) -> None:
    state = current()

    if seen is None:
        found = state.storage.queries.unknown(unseen=not all_)
        print_found(found, _REPORTS, callback_fields, "no unknown reports", as_json=as_json)
        return

    why = reason(because, "name the report with --seen")
    noted = state.storage.decisions.seen(seen, by=person(by), because=why, now=state.clock())

    if not noted:
        raise click.ClickException(
            f"no unknown report {seen} that nobody has looked at yet: "
            f"`flask {state.command} unknown --all` lists them"
        )

    click.echo(f"noted: report {seen} was looked at")


@command(_REFUND)
@click.argument("name")
@click.option("--amount", metavar="AMOUNT", help="A part, such as 9.50; else all that is left.")
@click.option("--take-back", is_flag=True, help="The last note was a mistake.")
@click.option("--because", metavar="TEXT", help="Why; kept with the payment.")
@click.option("--by", metavar="NAME", help="Who gave it back; else the user of this shell.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def refund(
    name: str,
    amount: str | None,
    take_back: bool,
    because: str | None,
    by: str | None,
    as_json: bool,
) -> None:
    state = current()
    decisions = state.storage.decisions
    payment_id = _id_of(state, name)
    price = None if amount is None else read_price(amount)

    if take_back and (amount or because):
        raise click.UsageError("--take-back takes no --amount and no --because")

    if amount is not None and price is None:
        raise click.UsageError(f"--amount {amount} is no amount: write it as 9.50")

    if not take_back:
        why = reason(because, "note the refund")
        decisions.refund(payment_id, amount=price, by=person(by), because=why, now=state.clock())

    elif not decisions.take_back_refund(payment_id, by=person(by), now=state.clock()):
        raise click.ClickException("no refund of this payment is noted")

    noted = state.storage.ledger.find(payment_id)

    if as_json:
        print_json(payment_fields(noted))
        return

    currency = noted.reported_currency or ""
    back, left = noted.refunded_price, left_of(noted)
    said = f"{plain(back)} {currency} noted as given back" if back else "nothing is given back"
    rest = "" if left is None else f", {plain(left)} {currency} left"
    click.echo(f"order {noted.order_id}: {said}{rest}; the money itself moves in Spayon's panel")


def _id_of(state: AppState, name: str) -> int:
    """Return the id of the payment whose payment session or reference is *name*."""
    payment = state.storage.queries.named(name)

    if payment is None:
        raise click.ClickException(
            f"no payment session {name}: `flask {state.command} payments` lists them"
        )

    return int(payment.id)
