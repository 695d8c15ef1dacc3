"""Period: days of the shop's calendar as moments, and what stands in a URL about them."""

from __future__ import annotations

from datetime import date
from datetime import datetime
from datetime import time
from datetime import timedelta
from datetime import timezone
from datetime import tzinfo
from typing import NamedTuple


class Period(NamedTuple):
    """From the beginning of day *first* to the end of day *last*, in *zone*; None is open."""

    first: date | None
    last: date | None
    zone: tzinfo

    @property
    def since(self) -> datetime | None:
        """The first moment of the period."""
        return None if self.first is None else midnight(self.first, self.zone)

    @property
    def until(self) -> datetime | None:
        """The first moment after the period."""
        return None if self.last is None else midnight(self.last + timedelta(days=1), self.zone)


def midnight(day: date, zone: tzinfo) -> datetime:
    """Return when *day* begins in *zone*, in UTC."""
    return datetime.combine(day, time(), zone).astimezone(timezone.utc)


def read_day(text: str) -> date | None:
    """Return the day that *text* names, such as `2026-11-22`, or None."""
    try:
        day = date.fromisoformat(text)

    except ValueError:
        return None

    # Not every database takes distant years.
    return day if 2000 <= day.year < 2100 else None  # noqa: PLR2004  years


def month_before(day: date) -> tuple[date, date]:
    """Return the first and the last day of the month before that of *day*."""
    last = day.replace(day=1) - timedelta(days=1)
    return last.replace(day=1), last
