"""Totals: payments counted and added up, exactly, by status and currency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from itertools import dropwhile
from typing import Any, NamedTuple

from sqlalchemy import Integer, case, cast, func, literal_column, select

from .ledger import Filter
from .transactions import Part

#: A price has at most 4 decimals.
_UNIT = 10_000

#: A `paid` may be told of late, so a day that is over is counted anew after this time.
KEPT = timedelta(minutes=10)

_NEVER = datetime.min.replace(tzinfo=timezone.utc)


class Total(NamedTuple):
    """The payments of one *status* and *currency*: how many, and what Spayon took for them.

    Those without an amount that can be read stand apart, without a currency: *unreadable* of them
    were paid. *refunded* of the payments, with *refunded_amount*, are noted as given back.
    """

    status: str
    currency: str | None
    number: int
    amount: Decimal
    unreadable: int = 0
    refunded: int = 0
    refunded_amount: Decimal = Decimal(0)


class Grand(NamedTuple):
    """All payments of one *currency* that Spayon called paid: how many, and how much."""

    currency: str
    number: int
    amount: Decimal
    refunded: Decimal

    @property
    def left(self) -> Decimal:
        """What was not given back."""
        return self.amount - self.refunded


def grand_totals(totals: Sequence[Total]) -> list[Grand]:
    """Add up *totals* over every status."""
    found: dict[str, Grand] = {}

    for each in totals:
        if each.currency is not None:
            so_far = found.get(each.currency, Grand(each.currency, 0, Decimal(0), Decimal(0)))
            found[each.currency] = Grand(
                each.currency,
                so_far.number + each.number,
                so_far.amount + each.amount,
                so_far.refunded + each.refunded_amount,
            )

    return [found[currency] for currency in sorted(found)]


class Totals(Part):
    """Count the payments of one account, and add up what Spayon took for them."""

    #: Totals of days, and until when they are kept.
    _kept: tuple[datetime, dict[Filter, list[Total]]] = (
        datetime.min.replace(tzinfo=timezone.utc),
        {},
    )

    def count(self, wanted: Filter, *statuses: str) -> dict[str, int]:
        """Return how many payments of *wanted* there are with each of *statuses*."""
        status = self.payment.c.status
        query = (
            select(status, func.count())
            .where(*wanted.conditions(self), status.in_(statuses))
            .group_by(status)
        )
        found = {row[0]: row[1] for row in self.connect().execute(query)}
        return {each: found.get(each, 0) for each in statuses}

    def add_up(self, wanted: Filter) -> list[Total]:
        """Add up the payments of *wanted* by status and currency."""
        return self.add_up_each([wanted])[0]

    def add_up_each(self, parts: Sequence[Filter]) -> list[list[Total]]:
        """Add up the payments of each of *parts*, in one statement.

        The parts follow one another by `paid_at`: each ends where the next one begins, and they
        have all else in common.
        """
        p = self.payment.c
        wanted = parts[0]._replace(paid_until=parts[-1].paid_until)
        borders = [(p.paid_at < part.paid_until, number) for number, part in enumerate(parts[:-1])]
        last: Any = literal_column(str(len(parts) - 1))
        is_readable = p.reported_price.is_not(None) & p.reported_currency.is_not(None)
        # As a subquery: PostgreSQL takes two texts of one expression with values for two.
        t = (
            select(
                (case(*borders, else_=last) if borders else last).label("part"),
                p.status,
                case((is_readable, p.reported_currency)).label("currency"),
                case((is_readable, p.reported_price)).label("amount"),
                case((is_readable, None), (p.paid_at.is_not(None), 1)).label("unreadable"),
                case((is_readable, p.refunded_price)).label("refunded_amount"),
            )
            .where(*wanted.conditions(self))
            .subquery("taken")
            .c
        )
        query = select(
            t.part,
            t.status,
            t.currency,
            func.count().label("number"),
            func.count(t.unreadable).label("unreadable"),
            func.count(t.refunded_amount).label("refunded"),
            *self._sums(t.amount, "amount"),
            *self._sums(t.refunded_amount, "refunded_amount"),
        ).group_by(t.part, t.status, t.currency)
        totals: list[list[Total]] = [[] for _ in parts]

        for row in self.connect().execute(query).mappings():
            total = Total(
                row["status"],
                row["currency"],
                row["number"],
                _exact_sum(row, "amount"),
                row["unreadable"],
                row["refunded"],
                _exact_sum(row, "refunded_amount"),
            )
            totals[row["part"]].append(total)

        # Here, since not every database puts NULL last.
        return [sorted(each, key=lambda t: (t.status, t.currency or "~")) for each in totals]

    def add_up_days(self, days: Sequence[Filter], *, now: datetime) -> list[list[Total]]:
        """Add up the payments of each of *days*, the last of which is the present one.

        The totals of days that are over are kept for `KEPT`.
        """
        until, kept = self._kept if now < self._kept[0] else (now + KEPT, {})
        # In one statement, from the first day that is not kept.
        missing = [*dropwhile(kept.__contains__, days[:-1]), days[-1]]
        found = {**kept, **dict(zip(missing, self.add_up_each(missing), strict=True))}
        self._kept = until, {day: found[day] for day in days[:-1]}
        return [found[day] for day in days]

    def _sums(self, amount: Any, name: str) -> Sequence[Any]:
        if self.connect().dialect.name != "sqlite":
            return (func.sum(amount).label(name),)

        # SQLite adds up floats, which loses digits: so the wholes and the fractions as integers.
        whole = cast(amount, Integer)
        fraction = cast(func.round((amount - whole) * _UNIT), Integer)
        return (func.sum(whole).label(name), func.sum(fraction).label(f"{name}_fraction"))


def _exact_sum(row: Mapping[Any, Any], name: str) -> Decimal:
    fraction = Decimal(row.get(f"{name}_fraction") or 0) / _UNIT
    return Decimal(row[name] or 0) + fraction
