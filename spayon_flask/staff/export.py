"""Export: what was paid in a period, on screen first, then as a file for the books."""

from __future__ import annotations

from datetime import date
from datetime import timedelta

from flask import Response
from flask import request
from flask import stream_with_context
from flask.typing import ResponseReturnValue

from ..exports import write_csv
from ..storage.ledger import Filter
from .desk import Desk
from .desk import guarded
from .inputs import Period
from .inputs import read_day


def show(desk: Desk) -> ResponseReturnValue:
    """Show the totals of a period; of the last month, if the URL names none."""
    period = _period(desk)
    wanted = Filter(paid_since=period.since, paid_until=period.until)
    totals = desk.state.storage.totals.add_up(wanted)
    return desk.page(
        "export.html",
        period=period,
        totals=totals,
        number=sum(each.number for each in totals),
    )


def download(desk: Desk) -> ResponseReturnValue:
    """Send the payments of a period as CSV, row by row."""
    period = _period(desk)
    books = desk.state.storage.ledger.books(period.since, period.until)
    response = Response(
        stream_with_context(write_csv(books, desk.language)), content_type="text/csv; charset=utf-8"
    )
    name = f"payments-{period.first}-{period.last}.csv"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return guarded(response)


def _period(desk: Desk) -> Period:
    first, last = _month_before(desk.today)
    first = read_day(request.args.get("from", "")) or first
    last = read_day(request.args.get("to", "")) or (last if first <= last else desk.today)

    # From the later day to the earlier one is a slip, and not nothing.
    first, last = min(first, last), max(first, last)
    return Period(first, last, desk.zone)


def _month_before(day: date) -> tuple[date, date]:
    """Return the first and the last day of the month before that of *day*."""
    last = day.replace(day=1) - timedelta(days=1)
    return last.replace(day=1), last
