"""Books: how the day stands, the last 30 days, and what was paid in a period."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from itertools import chain
from typing import NamedTuple

from flask import Response, request, stream_with_context
from flask.typing import ResponseReturnValue

from ..domain.exports import Total, grand_totals, write_csv
from ..storage.ledger import Filter
from .desk import Desk, SorryError

#: How long a hand-over may wait for the next reconcile.
_HAND_OVER = timedelta(minutes=10)

#: How many days the chart shows.
SHOWN = 30


class Period(NamedTuple):
    """From the beginning of day *first* to the end of day *last*, in *zone*; None is open."""

    first: date | None
    last: date | None
    zone: tzinfo

    @property
    def is_reversed(self) -> bool:
        """Whether the first day comes after the last one, which is a mistake."""
        return self.first is not None and self.last is not None and self.first > self.last

    @property
    def since(self) -> datetime | None:
        """The first moment of the period."""
        return None if self.first is None else _midnight(self.first, self.zone)

    @property
    def until(self) -> datetime | None:
        """The first moment after the period."""
        return None if self.last is None else _midnight(self.last + timedelta(days=1), self.zone)


def _midnight(day: date, zone: tzinfo) -> datetime:
    """Return when *day* begins in *zone*, in UTC."""
    return datetime.combine(day, time(), zone).astimezone(timezone.utc)


def read_day(name: str) -> date | None:
    """Return the day that the URL has under *name*, such as `2026-11-22`, or None."""
    try:
        day = date.fromisoformat(request.args.get(name, ""))

    except ValueError:
        return None

    # Not every database takes distant years.
    return day if 2000 <= day.year < 2100 else None  # noqa: PLR2004  years


class Bar(NamedTuple):
    """One day of the chart: its *totals*, how many were paid, and the height in hundredths."""

    day: date
    totals: Sequence[Total]
    number: int
    height: int


def today(desk: Desk) -> ResponseReturnValue:
    """Show what was paid today, what is open, and the last 30 days."""
    storage = desk.state.storage
    days = [desk.today - timedelta(days=back) for back in reversed(range(SHOWN))]
    periods = [Period(day, day, desk.zone) for day in days]
    wanted = [Filter(paid_since=each.since, paid_until=each.until) for each in periods]
    found = storage.ledger.add_up_days(wanted, now=desk.now)
    # What is under review is not paid yet.
    paid = [[total for total in totals if total.status == "paid"] for totals in found]
    bars = _bars(days, paid)
    return desk.page(
        "today.html",
        paid=paid[-1],
        gateways=storage.queries.other_gateways(),
        not_paid=storage.ledger.count(Filter(since=periods[-1].since), "failed", "expired"),
        in_progress=storage.ledger.count(Filter(), "pending"),
        warnings=_warnings(desk),
        beat=desk.state.heartbeat.read(),
        bars=bars,
        most=max(bar.number for bar in bars),
    )


def _bars(days: Sequence[date], paid: Sequence[Sequence[Total]]) -> list[Bar]:
    numbers = [sum(total.number for total in totals) for totals in paid]
    most = max(numbers) or 1
    # A day with a single payment must not look like a day with none.
    heights = [max(round(each * 100 / most), 2 if each else 0) for each in numbers]
    return [Bar(*each) for each in zip(days, paid, numbers, heights, strict=True)]


def _warnings(desk: Desk) -> list[tuple[str, str | None]]:
    """Return sentences about what needs care, each with the endpoint that shows more."""
    storage, language = desk.state.storage, desk.language
    _ = language.gettext
    warnings: list[tuple[str, str | None]] = []
    overdue = storage.inspection.overdue(now=desk.now)

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

    if number := storage.inspection.undispatched(now=desk.now - _HAND_OVER):
        sentence = language.ngettext(
            "%(n)d report was not handed over to the shop’s queue: mails and the like may be late.",
            "%(n)d reports were not handed over to the shop’s queue: mails and the like may be "
            "late.",
            number,
        )
        warnings.append((sentence, None))

    for error, number in storage.inspection.failing_handlers().items():
        sentence = language.ngettext(
            "The shop’s program has failed for %(n)d payment: %(error)s. Its log says why.",
            "The shop’s program has failed for %(n)d payments: %(error)s. Its log says why.",
            number,
            error=error,
        )
        warnings.append((sentence, None))

    if number := storage.queries.unseen_paid():
        sentence = language.ngettext(
            "%(n)d report says that something was paid, but this shop does not know the payment.",
            "%(n)d reports say that something was paid, but this shop does not know the payments.",
            number,
        )
        warnings.append((sentence, "unknown"))

    return warnings


def export(desk: Desk) -> ResponseReturnValue:
    """Show the totals of a period; of the last month, if the URL names none."""
    period, wanted = _period(desk)
    storage = desk.state.storage
    totals = [] if period.is_reversed else storage.ledger.add_up(wanted)
    return desk.page(
        "export.html",
        period=period,
        is_reversed=period.is_reversed,
        gateway=wanted.gateway or desk.state.settings.gateway,
        gateways=storage.queries.other_gateways(),
        chosen=wanted.gateway,
        totals=totals,
        grand=grand_totals(totals),
        number=sum(each.number for each in totals),
    )


def export_csv(desk: Desk) -> ResponseReturnValue:
    """Send the payments of a period as CSV, row by row."""
    period, wanted = _period(desk)

    if period.is_reversed:
        raise SorryError(400, desk.gettext("The first day comes after the last one."))

    books = desk.state.storage.ledger.every(wanted, oldest_first=True)
    gateway = wanted.gateway or desk.state.settings.gateway
    lines = write_csv(books, desk.language)
    # The first lines before the answer begins: if the database fails, a page says so.
    lines = chain([next(lines)], lines)
    response = Response(stream_with_context(lines), content_type="text/csv; charset=utf-8")
    name = f"payments-{re.sub('[^a-z0-9.-]', '-', gateway)}-{period.first}-{period.last}.csv"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _period(desk: Desk) -> tuple[Period, Filter]:
    # The last month, if the URL names none.
    end = desk.today.replace(day=1) - timedelta(days=1)
    first = read_day("from") or end.replace(day=1)
    last = read_day("to") or (end if first <= end else desk.today)
    period = Period(first, last, desk.zone)
    gateway = request.args.get("gateway") or None
    wanted = Filter(paid_since=period.since, paid_until=period.until, gateway=gateway)
    return period, wanted
