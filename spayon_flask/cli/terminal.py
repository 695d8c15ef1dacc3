"""Terminal: what people type beside a command; tables for people and JSON for scripts."""

from __future__ import annotations

import getpass
import json
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import click

from ..domain.money import plain
from ..domain.orders import MAX_TEXT_LENGTH

_AGE = re.compile(r"(\d{1,5})(h|d|w)")

#: The columns of a table: how each is read from what has a line.
Columns = Mapping[str, Callable[[Any], str]]

#: What scripts are told of a payment, and of a callback row.
_OF_PAYMENT = (
    "session_id",
    "order_id",
    "reference",
    "status",
    "review",
    "product_id",
    "product_name",
    "price",
    "currency",
    "paid_at",
    "reported_price",
    "reported_currency",
    "superseded",
    "decline_reasons",
    "created_at",
    "updated_at",
    "expires_at",
    "due_at",
    "attempts",
    "gateway",
    "handler_failures",
    "handler_failed_at",
    "handler_error",
    "reviewed_by",
    "reviewed_because",
    "reviewed_at",
    "refunded_by",
    "refunded_because",
    "refunded_at",
    "refunded_price",
)

_OF_CALLBACK = (
    "id",
    "session_id",
    "status",
    "source",
    "verdict",
    "received_at",
    "secret_index",
    "dispatch_at",
    "seen_by",
    "seen_because",
    "seen_at",
)

_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


class Age(click.ParamType):  # type: ignore[type-arg]  # an older click is not generic
    """A length of time: hours, days or weeks."""

    name = "age"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        found = _AGE.fullmatch(str(value))

        if found is None:
            self.fail(f"{value!r} is no age: write 36h, 400d or 8w", param, ctx)

        return int(found[1]) * _UNITS[found[2]]


class Since(click.ParamType):  # type: ignore[type-arg]  # an older click is not generic
    """A moment, in UTC if it names no other zone, or an age."""

    name = "since"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime | timedelta:
        try:
            # Python 3.10 does not read the Z of Zulu.
            moment = datetime.fromisoformat(re.sub("Z$", "+00:00", str(value)))

        except ValueError:
            if _AGE.fullmatch(str(value)):
                return Age().convert(value, param, ctx)

            self.fail(f"{value!r} is neither a date such as 2026-11-22 nor an age such as 7d")

        return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def person(by: str | None) -> str:
    """Return the name *by*, or else that of the user of this shell."""
    try:
        return (by or getpass.getuser())[:MAX_TEXT_LENGTH]

    except (OSError, KeyError):  # a container whose user has no name
        raise click.UsageError("say who decides: --by NAME") from None


def reason(because: str | None, what: str) -> str:
    """Return the reason *because*; without one the command ends, and names *what* it is for."""
    text = (because or "").strip()

    if not text:
        raise click.UsageError(f'{what}, and say why: --because "..."')

    return text


def print_json(value: object) -> None:
    """Print *value* as JSON."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def print_found(
    found: Sequence[Any],
    columns: Columns,
    fields: Callable[[Any], object],
    nothing: str,
    *,
    as_json: bool,
) -> None:
    """Print what was *found* as JSON, or as a table; if it is *nothing*, say so."""
    if as_json:
        print_json([fields(each) for each in found])

    elif found:
        print_table(found, columns)

    else:
        click.echo(nothing)


def print_table(found: Sequence[Any], columns: Columns) -> None:
    """Print a line for each of what was *found*, below the names of the *columns*.

    On a terminal that is too narrow for that, each value has a line of its own.
    """
    rows = [list(columns), *([read(each) for read in columns.values()] for each in found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    needed = sum(widths) + 2 * (len(widths) - 1)

    # What another program reads keeps its columns.
    if sys.stdout.isatty() and needed > shutil.get_terminal_size().columns:
        for row in rows[1:]:
            print_pairs({name.lower(): text for name, text in zip(columns, row, strict=True)})
            click.echo()

        return

    for number, row in enumerate(rows):
        cells = [text.ljust(width) for text, width in zip(row, widths, strict=True)]
        line = "  ".join(cells).rstrip()
        click.echo(click.style(line, bold=True) if number == 0 else line)


def print_pairs(pairs: Mapping[str, str]) -> None:
    """Print names and values, one a line; those without a value are left out."""
    width = max(map(len, pairs))

    for name, value in pairs.items():
        if value:
            click.echo(f"{name:{width}}  {value}")


def when(moment: datetime | None) -> str:
    """Write a moment for a person, in UTC."""
    return f"{moment.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S}" if moment is not None else ""


def price_of(payment: Any) -> str:
    """Write the price of a payment; that of a product of the panel is Spayon's until it is paid."""
    if payment.price is None:
        return f"product {payment.product_id}"

    return f"{plain(payment.price)} {payment.currency}"


def reported_of(payment: Any) -> str:
    """Write what Spayon took, or nothing if it took nothing."""
    if payment.paid_at is None:
        return ""

    price = "no readable price" if payment.reported_price is None else plain(payment.reported_price)
    return f"{price} {payment.reported_currency or '(no readable currency)'}"


def payment_fields(payment: Any) -> dict[str, object]:
    """Return a payment for JSON: prices as text, times in ISO 8601."""
    return {name: _plain(getattr(payment, name)) for name in _OF_PAYMENT}


def callback_fields(callback: Any) -> dict[str, object]:
    """Return a callback row for JSON, with its body as text, "" once it was removed."""
    fields = {name: _plain(getattr(callback, name)) for name in _OF_CALLBACK}
    return fields | {"body": bytes(callback.body).decode(errors="replace")}


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return plain(value)

    return value.isoformat() if isinstance(value, datetime) else value
