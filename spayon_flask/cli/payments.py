"""`flask spayon payments`: payments, newest first."""

from __future__ import annotations

from datetime import datetime
from datetime import timedelta
from itertools import islice
from typing import Any

import click
from flask.cli import with_appcontext

from ..exports import write_csv
from ..languages import choose_language
from ..money import plain
from ..state import AppState
from ..state import Current
from ..storage.ledger import Filter
from ..storage.totals import Total
from ..transitions import BARRING
from .command import Command
from .terminal import Since
from .terminal import payment_fields
from .terminal import price_of
from .terminal import print_json
from .terminal import print_table
from .terminal import reported_of
from .terminal import when


STATUSES = ("pending", "failed", "expired", "paid", "review")

#: So many lines are a table that a person reads.
SHOWN = 50

_HELP = """List payments, newest first; or add them up, or write them as CSV.

A moment is 2026-11-22, or 2026-11-22T14:00:00+04:00, or an age such as 7d or 36h; without a zone it
is in UTC. --json and --csv list all payments, a table the newest 50: if payments were left out, the
last line says so.
"""


def create_payments(current: Current) -> click.Command:
    """Return the command for the current app."""

    @click.command("payments", cls=Command, help=_HELP)
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
    @click.option("--totals", is_flag=True, help="Add them up, by status and currency.")
    @click.option("--csv", "as_csv", is_flag=True, help="For spreadsheets, in UTF-8.")
    @click.option(
        "--language", help="Separator and decimal sign of the CSV: en, ru or hy; else LANGUAGE."
    )
    @click.option("--json", "as_json", is_flag=True, help="For scripts.")
    @with_appcontext
    def payments(
        status: str | None,
        order_id: str | None,
        text: str | None,
        since: datetime | timedelta | None,
        until: datetime | timedelta | None,
        paid_since: datetime | timedelta | None,
        paid_until: datetime | timedelta | None,
        limit: int | None,
        totals: bool,
        as_csv: bool,
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
        )

        if totals and (limit or text or as_csv):
            raise click.UsageError("--totals takes no --limit, --search or --csv")

        if totals:
            _print_totals(state, wanted, as_json=as_json)

        elif as_csv:
            _write_csv(state, wanted, limit, language)

        else:
            _list(state, wanted, limit, as_json=as_json)

    return payments


def _moment(given: datetime | timedelta | None, now: datetime) -> datetime | None:
    return now - given if isinstance(given, timedelta) else given


def _list(state: AppState, wanted: Filter, limit: int | None, *, as_json: bool) -> None:
    at_most = limit if as_json else limit or SHOWN
    found = state.storage.ledger.every(wanted, limit=None if at_most is None else at_most + 1)
    shown = list(islice(found, at_most))
    more = at_most is not None and next(found, None) is not None

    if as_json:
        print_json([payment_fields(each) for each in shown])

    elif not shown:
        click.echo("no payments")

    else:
        _print(shown)

    if more:
        # Beside the JSON and not in it, which scripts read.
        click.echo(
            f"these are the newest {at_most}, and there are more: narrow them down, or --limit",
            err=as_json,
        )


def _print(found: list[Any]) -> None:
    print_table(
        ("CREATED (UTC)", "ORDER", "STATUS", "PRICE", "PAYMENT SESSION"),
        [
            (
                when(each.created_at),
                each.order_id,
                f"{each.status}: {each.review}" if each.status == "review" else each.status,
                _price(each),
                each.session_id or "(never answered)",
            )
            for each in found
        ],
    )


def _price(payment: Any) -> str:
    asked, reported = price_of(payment), reported_of(payment)
    return asked if reported in ("", asked) else f"{asked}, paid {reported}"


def _write_csv(state: AppState, wanted: Filter, limit: int | None, language: str | None) -> None:
    settings = state.settings
    chosen = choose_language(language, settings.language).in_zone(settings.timezone)
    found = state.storage.ledger.every(wanted, limit=None if limit is None else limit + 1)

    for lines in write_csv(islice(found, limit), chosen):
        click.echo(lines, nl=False)

    if limit is not None and next(found, None) is not None:
        click.echo(f"these are the newest {limit}, and there are more", err=True)


def _amount(total: Total) -> str:
    amount = plain(total.amount) if total.currency else ""
    left_out = total.unpriced if total.status in BARRING else 0
    return f"{amount} ({left_out} without an amount)".strip() if left_out else amount


def _print_totals(state: AppState, wanted: Filter, *, as_json: bool) -> None:
    totals = state.storage.totals.add_up(wanted)

    if as_json:
        names = ("amount", "refunded_amount")
        print_json(
            [
                each._asdict() | {name: plain(getattr(each, name)) for name in names}
                for each in totals
            ]
        )

    elif not totals:
        click.echo("no payments")

    else:
        print_table(
            ("STATUS", "CURRENCY", "PAYMENTS", "PAID", "NOTED AS REFUNDED"),
            [
                (
                    each.status,
                    each.currency or "",
                    str(each.number),
                    _amount(each),
                    f"{each.refunded}: {plain(each.refunded_amount)}" if each.refunded else "",
                )
                for each in totals
            ],
        )
