"""Ledger: payments as the shop's people look for them: a filter, a page, and exact sums."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from itertools import dropwhile
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Integer, case, cast, func, literal_column, or_, select

from ..domain.exports import Total
from ..domain.orders import without_mark
from .guard import end_reading
from .transactions import Part

#: A search for a part of a text reads so many payments at a time, however many there are.
LOOK_THROUGH = 1000

#: Payments that a list without an end holds in memory at once.
BATCH = 1000

#: A price has at most 4 decimals.
_UNIT = 10_000

#: A `paid` may be told of late, so a day that is over is counted anew after this time.
KEPT = timedelta(minutes=10)


class Filter(NamedTuple):
    """Which payments are meant; None leaves a condition out.

    *gateway* is the one that they were made with; without it the present one is meant.
    *since* and *until* are about the time when a payment was begun, *paid_since* and *paid_until*
    about `paid_at`. Each *since* is included, each *until* is not. *order_id* is the whole order
    id; *text* is a part of the order id, its key, the session id or the reference, in any case.
    """

    status: str | None = None
    order_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    paid_since: datetime | None = None
    paid_until: datetime | None = None
    text: str | None = None
    gateway: str | None = None

    @property
    def time(self) -> str:
        """The column by which payments are put in order."""
        by_payment = self.paid_since is not None or self.paid_until is not None
        return "paid_at" if by_payment else "created_at"

    def conditions(self, ledger: Part) -> list[ColumnElement[bool]]:
        """Return what a payment of the account of *ledger* must fulfil, besides *text*."""
        p = ledger.payment.c
        equal = ((p.status, self.status), (p.order_id, self.order_id))
        since = ((p.created_at, self.since), (p.paid_at, self.paid_since))
        until = ((p.created_at, self.until), (p.paid_at, self.paid_until))
        return [
            p.account == ledger.account,
            p.gateway == (self.gateway or ledger.source.gateway),
            *(column == value for column, value in equal if value is not None),
            *(column >= value for column, value in since if value is not None),
            *(column < value for column, value in until if value is not None),
        ]


class Key(NamedTuple):
    """Where in a list a payment stands: the next page begins behind it."""

    moment: datetime
    id: int


#: After every payment that there will ever be: a search for a part begins here.
_START = Key(datetime(2099, 12, 31, tzinfo=timezone.utc), 0)


class Page(NamedTuple):
    """Some *payments*, with all columns of each.

    *after* is where the next page begins, or None if nothing is left. *looked_back_to* is set if a
    search for a part of a text stopped there, and older payments have yet to be looked through.
    *whole* is True if the payments have the text itself as an id: those that contain it begin
    behind *after*.
    """

    payments: Sequence[Any]
    after: Key | None = None
    looked_back_to: datetime | None = None
    whole: bool = False


class Ledger(Part):
    """Read the payments of one account: a page of them, all of them, or what they add up to."""

    #: Totals of days, and until when they are kept.
    _kept: tuple[datetime | None, dict[Filter, list[Total]]] = (None, {})

    def find(self, payment_id: int) -> Any:
        """Return the payment with this id, with all its columns, or None."""
        p = self.payment.c
        query = select(self.payment).where(p.id == payment_id, p.account == self.account)
        return self.connect().execute(query).first()

    def page(
        self, wanted: Filter, *, limit: int, after: Key | None = None, oldest_first: bool = False
    ) -> Page:
        """Return at most *limit* payments of *wanted* from behind *after* on, the newest first.

        Payments that were begun (or paid, if *wanted* names a time of payment) at the same moment
        are put in the order of their ids. What a *text* finds comes the newest first, always.
        """
        if wanted.text:
            return self._search(wanted, wanted.text, limit, after)

        found = self._read(wanted, after, limit + 1, oldest_first=oldest_first)
        return Page(found[:limit], self._key(wanted, found[limit - 1]) if found[limit:] else None)

    def every(self, wanted: Filter, *, oldest_first: bool = False) -> Iterator[Any]:
        """Yield all payments of *wanted*, in the order of `page`.

        At most `BATCH` payments are in memory, and no transaction is open while the caller works on
        them. Those that have the text itself come before those that contain it.
        """
        page = self.page(wanted, limit=BATCH, oldest_first=oldest_first)
        # What has the text itself also contains it, and would come again.
        whole = {each.id for each in page.payments} if page.whole else set()
        end_reading(self.session)
        yield from page.payments

        while page.after is not None:
            page = self.page(wanted, limit=BATCH, after=page.after, oldest_first=oldest_first)
            end_reading(self.session)
            yield from (each for each in page.payments if each.id not in whole)

    def _read(
        self, wanted: Filter, after: Key | None, limit: int, *, oldest_first: bool = False
    ) -> Sequence[Any]:
        p = self.payment.c
        moment = p[wanted.time]
        conditions = wanted.conditions(self)

        # The first condition is what an index serves; the second one is for equal moments.
        if after and oldest_first:
            conditions += [moment >= after.moment, or_(moment > after.moment, p.id > after.id)]

        elif after:
            conditions += [moment <= after.moment, or_(moment < after.moment, p.id < after.id)]

        order = (moment, p.id) if oldest_first else (moment.desc(), p.id.desc())
        query = select(self.payment).where(*conditions).order_by(*order).limit(limit)
        return self.connect().execute(query).all()

    def _key(self, wanted: Filter, payment: Any) -> Key:
        return Key(getattr(payment, wanted.time), payment.id)

    def _search(self, wanted: Filter, text: str, limit: int, after: Key | None) -> Page:
        """Return the payments that have *text* itself; if there are none, those that contain it.

        A whole id is found by its index, however old it is. A part of one is looked for in the
        newest `LOOK_THROUGH` payments behind *after*: no index holds parts. Not every database
        knows small letters from capital ones beyond ASCII, so they are compared here.
        """
        if after is None and (exact := self._exact(wanted, text, limit)):
            return Page(exact, _START, whole=True)

        newest = self._read(wanted, after, LOOK_THROUGH)
        part = text.casefold()
        found = [each for each in newest if any(part in name for name in _names(each))]

        if len(found) > limit:
            return Page(found[:limit], self._key(wanted, found[limit - 1]))

        if len(newest) < LOOK_THROUGH:
            return Page(found)

        key = self._key(wanted, newest[-1])
        return Page(found, key, key.moment)

    def _exact(self, wanted: Filter, text: str, limit: int) -> Sequence[Any]:
        p = self.payment.c
        conditions = wanted.conditions(self)
        # The id of an attempt, perhaps, copied from Spayon's panel.
        texts = {text, without_mark(text)}
        spellings = texts | {each.upper() for each in texts} | {each.lower() for each in texts}
        found: dict[int, Any] = {}

        # One statement for each column: of columns joined by OR not every database would use the
        # indexes.
        for column in (p.order_id, p.order_key, p.session_id, p.reference):
            query = select(self.payment).where(column.in_(sorted(spellings)), *conditions)
            payments = self.connect().execute(query.order_by(p.id.desc()).limit(limit))
            found.update((each.id, each) for each in payments)

        return list(found.values())

    def count(self, wanted: Filter, *statuses: str) -> int:
        """Return how many payments of *wanted* there are that have one of *statuses*."""
        conditions = (*wanted.conditions(self), self.payment.c.status.in_(statuses))
        query = select(func.count()).select_from(self.payment).where(*conditions)
        return int(self.connect().execute(query).scalar_one())

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
        until, kept = self._kept

        if until is None or now >= until:
            until, kept = now + KEPT, {}

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


def _names(payment: Any) -> Iterator[str]:
    """Yield what people call *payment*, in small letters."""
    for name in (payment.order_id, payment.order_key, payment.session_id, payment.reference):
        if name is not None:
            yield name.casefold()


def _exact_sum(row: Mapping[Any, Any], name: str) -> Decimal:
    fraction = Decimal(row.get(f"{name}_fraction") or 0) / _UNIT
    return Decimal(row[name] or 0) + fraction
