"""Today: how the day stands, what somebody should look after, and the last 30 days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from datetime import datetime
from datetime import timedelta
from datetime import tzinfo
from typing import NamedTuple
from weakref import WeakKeyDictionary

from flask.typing import ResponseReturnValue

from ..storage import Storage
from ..storage.ledger import Filter
from ..storage.totals import Total
from .desk import Desk
from .forms import Period


#: How long a hand-over may wait for the next reconcile.
_HAND_OVER = timedelta(minutes=10)

#: The chart: the height of its tallest bar, and the width of a bar with its gap.
_HEIGHT, _STEP, _BAR = 100, 20, 14

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
            storage.totals.add_up(Filter(paid_since=period.since, paid_until=period.until)),
        )

        if len(of_storage) >= _MOST:
            of_storage.clear()

        of_storage[key] = (now + KEPT, counted)
        return counted


class Bar(NamedTuple):
    """One day of the chart, in units of the picture."""

    day: Day
    x: int
    y: int
    height: int


def show(desk: Desk, *, days: Days) -> ResponseReturnValue:
    """Show what was paid today, what is open, and the last 30 days."""
    storage = desk.state.storage
    count = storage.totals.count
    since = Period(desk.today, desk.today, desk.zone).since
    last = days.last(storage, desk.today, desk.zone, desk.now)
    return desk.page(
        "today.html",
        paid=[each for each in last[-1].totals if each.status == "paid"],
        not_paid=sum(count(Filter(status=each, since=since)) for each in ("failed", "expired")),
        in_progress=count(Filter(status="pending")),
        under_review=count(Filter(status="review")),
        warnings=_warnings(desk),
        beat=desk.state.heartbeat.read(),
        bars=_bars(last),
        most=max(day.number for day in last),
        width=len(last) * _STEP,
        height=_HEIGHT,
        bar_width=_BAR,
    )


def _bars(days: list[Day]) -> list[Bar]:
    most = max(day.number for day in days) or 1
    heights = [round(day.number * _HEIGHT / most) for day in days]

    # A day with a single payment must not look like a day with none.
    heights = [
        max(height, 2 if day.number else 0) for height, day in zip(heights, days, strict=True)
    ]
    return [
        Bar(day, number * _STEP + (_STEP - _BAR) // 2, _HEIGHT - height, height)
        for number, (day, height) in enumerate(zip(days, heights, strict=True))
    ]


def _warnings(desk: Desk) -> list[tuple[str, str | None]]:
    """Return sentences about what needs care, each with the endpoint that shows more."""
    storage, language = desk.state.storage, desk.language
    _ = language.gettext
    warnings: list[tuple[str, str | None]] = []
    overdue = storage.queries.overdue(now=desk.now)

    if overdue.number and overdue.oldest is not None:
        sentence = language.ngettext(
            "%(n)d payment has had no answer from Spayon for more than 30 minutes, since %(when)s.",
            "%(n)d payments have had no answer from Spayon for more than 30 minutes, the oldest "
            "since %(when)s.",
            overdue.number,
            when=desk.when(overdue.oldest),
        )
        what_to_do = (
            _("Perhaps nobody asks: have somebody look whether “reconcile” runs.")
            if overdue.neglected
            else _(
                "“reconcile” asks about them, but no answer was recorded: have somebody look into "
                "its log."
            )
        )
        warnings.append((f"{sentence} {what_to_do}", None))

    if number := storage.queries.undispatched(now=desk.now - _HAND_OVER):
        sentence = language.ngettext(
            "%(n)d report was not handed over to the shop’s queue: mails and the like may be late.",
            "%(n)d reports were not handed over to the shop’s queue: mails and the like may be "
            "late.",
            number,
        )
        warnings.append((sentence, None))

    if number := storage.notes.unseen_paid():
        sentence = language.ngettext(
            "%(n)d report says that something was paid, but this shop does not know the payment.",
            "%(n)d reports say that something was paid, but this shop does not know the payments.",
            number,
        )
        warnings.append((sentence, "unknown"))

    return warnings
