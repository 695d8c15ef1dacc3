"""`flask spayon payments`: payments, their totals and their CSV."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice
from typing import IO, Any

import click

from ..domain.exports import Total, grand_totals, write_csv
from ..domain.languages import choose_language
from ..domain.money import plain
from ..state import AppState
from ..storage.ledger import Filter
from .command import command, current
from .terminal import (
    Columns,
    Since,
    payment_fields,
    price_of,
    print_found,
    reported_of,
    when,
)

STATUSES = ("pending", "failed", "expired", "paid", "review")

#: So many lines are a table that a person reads.
SHOWN = 50

_HELP = """List payments, newest first; or add them up, or write them as CSV, oldest first.

A moment is 2026-11-22, or 2026-11-22T14:00:00+04:00, or an age such as 7d or 36h; without a zone it
is in UTC. --json and --csv list all payments, a table the newest 50: if payments were left out, the
last line says so. Only payments that were made with the present gateway are meant, unless --gateway
names another one.
"""


def _price(payment: Any) -> str:
    asked, reported = price_of(payment), reported_of(payment)
    return asked if reported in ("", asked) else f"{asked}, paid {reported}"


def _amount(total: Total) -> str:
    if total.currency is not None:
        return plain(total.amount)

    return f"({total.unreadable} without a readable amount)" if total.unreadable else ""


_PAYMENTS: Columns = {
    "CREATED (UTC)": lambda each: when(each.created_at),
    "ORDER": lambda each: each.order_id,
    "STATUS": lambda each: f"review: {each.review}" if each.status == "review" else each.status,
    "PRICE": _price,
    "PAYMENT SESSION": lambda each: each.session_id or "(never answered)",
}

_TOTALS: Columns = {
    "STATUS": lambda each: each.status,
    "CURRENCY": lambda each: each.currency or "",
    "PAYMENTS": lambda each: str(each.number),
    "PAID": _amount,
    "REFUNDED": lambda each: (
        f"{each.refunded}: {plain(each.refunded_amount)}" if each.refunded else ""
    ),
}


@command(_HELP)
@click.option("--status", type=click.Choice(STATUSES))
@click.option("--order", "order_id", metavar="ID", help="Only those of this order.")
@click.option(
    "--search", "text", metavar="TEXT", help="A part of order, payment session or reference."
)
@click.option("--since", type=Since(), help="Begun since that moment.")
@click.option("--until", type=Since(), help="Begun before that moment.")
@click.option("--paid-since", type=Since(), help="Paid since that moment, by Spayon's clock.")
@click.option("--paid-until", type=Since(), help="Paid before that moment.")
@click.option("--limit", type=click.IntRange(1), help=f"At most so many. A table: {SHOWN}.")
@click.option("--gateway", metavar="HOST", help="Those made with this one.")
@click.option("--totals", is_flag=True, help="Add them up, by status and currency.")
@click.option("--csv", "as_csv", is_flag=True, help="For spreadsheets, in UTF-8.")
@click.option(
    "--output",
    type=click.File("wb", lazy=True),
    metavar="PATH",
    help="Write the CSV into this file.",
)
@click.option(
    "--language", help="Separator and decimal sign of the CSV: en, ru or hy; else LANGUAGE."
)
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def payments(
    status: str | None,
    order_id: str | None,
    text: str | None,
    since: datetime | timedelta | None,
    until: datetime | timedelta | None,
    paid_since: datetime | timedelta | None,
    paid_until: datetime | timedelta | None,
    limit: int | None,
    gateway: str | None,
    totals: bool,
    as_csv: bool,
    output: IO[bytes] | None,
    language: str | None,
    as_json: bool,
) -> None:
    state = current()
    now = state.clock()
    wanted = Filter(
        status=status,
        order_id=order_id,
        text=text,
        since=_moment(since, now),
        until=_moment(until, now),
        paid_since=_moment(paid_since, now),
        paid_until=_moment(paid_until, now),
        gateway=gateway,
    )
    _check_periods(wanted)

    if output is not None and not as_csv:
        raise click.UsageError("--output is for --csv")

    if as_csv and as_json:
        raise click.UsageError("--csv or --json, not both")

    if totals and (limit or text or as_csv):
        raise click.UsageError("--totals takes no --limit, --search or --csv")

    if totals:
        _print_totals(state, wanted, as_json=as_json)

    elif as_csv:
        _write_csv(state, wanted, limit, language, output)

    else:
        _list(state, wanted, limit, as_json=as_json)

    if others := state.storage.queries.other_gateways():
        # Beside what scripts read.
        click.echo(
            f"payments of another gateway are left out, see --gateway: {', '.join(others)}"
            if gateway is None
            else f"these are the payments of {gateway}",
            err=True,
        )


def _check_periods(wanted: Filter) -> None:
    periods = {"": (wanted.since, wanted.until), "paid-": (wanted.paid_since, wanted.paid_until)}

    for name, (since, until) in periods.items():
        if since is not None and until is not None and since >= until:
            raise click.UsageError(f"--{name}since must be earlier than --{name}until")


def _moment(given: datetime | timedelta | None, now: datetime) -> datetime | None:
    return now - given if isinstance(given, timedelta) else given


def _list(state: AppState, wanted: Filter, limit: int | None, *, as_json: bool) -> None:
    at_most = limit if as_json else limit or SHOWN
    found = state.storage.ledger.every(wanted)
    shown = list(islice(found, at_most))
    more = at_most is not None and next(found, None) is not None
    print_found(shown, _PAYMENTS, payment_fields, "no payments", as_json=as_json)

    if more:
        # Beside the JSON and not in it, which scripts read.
        click.echo(
            f"these are the newest {at_most}, and there are more: narrow them down, or --limit",
            err=as_json,
        )


def _write_csv(
    state: AppState,
    wanted: Filter,
    limit: int | None,
    language: str | None,
    output: IO[bytes] | None,
) -> None:
    settings = state.settings
    chosen = choose_language(language, settings.language).in_zone(settings.timezone)
    found = state.storage.ledger.every(wanted, oldest_first=True)

    # As bytes: a console may have another code page, and would write the ends of lines anew.
    with output or click.open_file("-", "wb") as file:
        for lines in write_csv(islice(found, limit), chosen):
            file.write(lines.encode())

    if limit is not None and next(found, None) is not None:
        click.echo(f"these are the oldest {limit}, and there are more", err=True)


def _print_totals(state: AppState, wanted: Filter, *, as_json: bool) -> None:
    totals = state.storage.ledger.add_up(wanted)

    print_found(totals, _TOTALS, _total_fields, "no payments", as_json=as_json)

    if totals and not as_json:
        for grand in grand_totals(totals):
            click.echo(
                f"{grand.currency}: {grand.number} payments, {plain(grand.amount)} paid, "
                f"{plain(grand.refunded)} given back, {plain(grand.left)} left"
            )

        click.echo(_meaning(state, wanted))


def _total_fields(total: Total) -> dict[str, object]:
    amounts = {"amount": plain(total.amount), "refunded_amount": plain(total.refunded_amount)}
    return total._asdict() | amounts


def _meaning(state: AppState, wanted: Filter) -> str:
    """Say which payments were added up, and when."""
    kinds = (("begun", wanted.since, wanted.until), ("paid", wanted.paid_since, wanted.paid_until))
    periods = [
        f"{kind} from {when(since) or 'the first'} until {when(until) or 'now'}"
        for kind, since, until in kinds
        if since is not None or until is not None
    ]
    gateway = wanted.gateway or state.settings.gateway
    period = ", ".join(periods) or "all payments"
    return f"{period}; times in UTC; gateway {gateway}; as of {when(state.clock())}"
