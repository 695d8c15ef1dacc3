"""Inputs: what people type beside a command: ages and moments, who decides, and why."""

from __future__ import annotations

import getpass
import re
from datetime import datetime
from datetime import timedelta
from datetime import timezone

import click

from ..orders import MAX_TEXT_LENGTH


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
