"""Days: how much was paid on each of the last days; days that are over are counted rarely."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from datetime import datetime
from datetime import timedelta
from datetime import tzinfo
from typing import NamedTuple
from weakref import WeakKeyDictionary

from ..storage import Filter
from ..storage import Storage
from ..storage import Total
from .period import Period


#: How many days the chart shows.
SHOWN = 30

#: A `paid` may be told of late, so a day that is over is counted anew after this time.
KEPT = timedelta(minutes=10)

#: Days that are remembered at most.
_MOST = 1000


class Day(NamedTuple):
    """One day, and what was paid on it, by status and currency."""

    day: date
    totals: Sequence[Total]

    @property
    def number(self) -> int:
        """How many payments were paid."""
        return sum(each.number for each in self.totals if each.status == "paid")


class Days:
    """Count the payments of days; *kept* holds those of days that are over."""

    def __init__(self) -> None:
        self._kept: WeakKeyDictionary[Storage, dict[tuple[date, str], tuple[datetime, Day]]]
        self._kept = WeakKeyDictionary()

    def last(self, storage: Storage, today: date, zone: tzinfo, now: datetime) -> list[Day]:
        """Return the last `SHOWN` days up to *today* in *zone*, the earliest first."""
        days = [today - timedelta(days=back) for back in reversed(range(SHOWN))]
        return [self._day(storage, day, zone, now, over=day < today) for day in days]

    def _day(self, storage: Storage, day: date, zone: tzinfo, now: datetime, *, over: bool) -> Day:
        of_storage = self._kept.setdefault(storage, {})
        key = (day, str(zone))
        until, kept = of_storage.get(key, (now, None))

        if over and kept is not None and now < until:
            return kept

        period = Period(day, day, zone)
        counted = Day(
            day,
            storage.ledger.totals(Filter(paid_since=period.since, paid_until=period.until)),
        )

        if len(of_storage) >= _MOST:
            of_storage.clear()

        of_storage[key] = (now + KEPT, counted)
        return counted
