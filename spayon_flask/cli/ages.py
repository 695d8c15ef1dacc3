"""Ages and moments as an operator types them: `400d`, `36h`, `2026-11-22`."""

from __future__ import annotations

import re
from datetime import datetime
from datetime import timedelta
from datetime import timezone

import click


_AGE = re.compile(r"(\d{1,5})(h|d|w)")

_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


class Age(click.ParamType[timedelta]):
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


class Since(click.ParamType[datetime | timedelta]):
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
