"""Terminal: what people type beside a command; tables for people and JSON for scripts."""

from __future__ import annotations

import getpass
import json
import re
import shutil
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import click

from ..domain.money import plain
from ..domain.orders import MAX_TEXT_LENGTH

_AGE = re.compile(r"(\d{1,5})(h|d|w)")

_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


class Age(click.ParamType):  # type: ignore[type-arg]  # an older click is not generic
    """A length of time: hours, days or weeks."""

    name = "age"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        if isinstance(value, timedelta):
            return value

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
        if isinstance(value, datetime | timedelta):
            return value

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


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print *rows* in columns, below *head*; on a terminal that is too narrow, line by line."""
    columns = list(zip(head, *rows, strict=True))
    widths = [max(map(_width, column)) for column in columns]

    needed = sum(widths) + 2 * (len(widths) - 1)

    # What is read by another program keeps its columns.
    if sys.stdout.isatty() and needed > shutil.get_terminal_size().columns:
        for row in rows:
            print_pairs(dict(zip((name.lower() for name in head), row, strict=True)))
            click.echo()

        return

    for number, row in enumerate([head, *rows]):
        cells = [
            text + " " * (width - _width(text)) for text, width in zip(row, widths, strict=True)
        ]
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
    fields = {
        name: getattr(payment, name)
        for name in (
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
    }
    return {name: _plain(value) for name, value in fields.items()}


def callback_fields(callback: Any) -> dict[str, object]:
    """Return a callback row for JSON, with its body as text, "" once it was removed."""
    fields = {
        name: getattr(callback, name)
        for name in (
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
    }
    fields["body"] = bytes(callback.body).decode(errors="replace")
    return {name: _plain(value) for name, value in fields.items()}


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return plain(value)

    return value.isoformat() if isinstance(value, datetime) else value


def _width(text: str) -> int:
    # East Asian wide letters take two columns of a terminal.
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
