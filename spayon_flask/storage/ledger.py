"""Ledger: payments and reports as the shop's people look for them: a filter and a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, func, literal_column, or_, select

from ..domain.orders import without_mark
from ..domain.transitions import UNKNOWN
from .guard import end_reading
from .transactions import Part

#: A search for a part of a text reads so many payments at a time, however many there are.
LOOK_THROUGH = 1000

#: Payments that a list without an end holds in memory at once.
BATCH = 1000


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
    """Read the payments of one account."""

    def find(self, payment_id: int) -> Any:
        """Return the payment with this id, with all its columns, or None."""
        query = select(self.payment).where(
            self.payment.c.id == payment_id, self.payment.c.account == self.account
        )
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

    def every(
        self, wanted: Filter, *, limit: int | None = None, oldest_first: bool = False
    ) -> Iterator[Any]:
        """Yield all payments of *wanted*, at most *limit*, in the order of `page`.

        At most `BATCH` payments are in memory, and no transaction is open while the caller works on
        them. Those that have the text itself come before those that contain it.
        """
        after: Key | None = None
        left = limit
        whole: set[int] = set()

        while left is None or left > 0:
            at_most = min(BATCH, left or BATCH)
            page = self.page(wanted, limit=at_most, after=after, oldest_first=oldest_first)
            end_reading(self.session)
            payments = [each for each in page.payments if each.id not in whole]
            yield from payments
            after = page.after
            left = None if left is None else left - len(payments)

            # What has the text itself also contains it, and would come again.
            if page.whole:
                whole = {each.id for each in payments}

            if after is None:
                return

    def _read(
        self, wanted: Filter, after: Key | None, limit: int, *, oldest_first: bool = False
    ) -> Sequence[Any]:
        p = self.payment.c
        moment = p[wanted.time]
        conditions = wanted.conditions(self)

        # The first condition is what an index serves; the second one is for equal moments.
        if after and oldest_first:
            conditions += [
                moment >= after.moment,
                or_(moment > after.moment, p.id > after.id),
            ]

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

    def other_gateways(self) -> list[str]:
        """Return the gateways, but for the present one, that payments were made with."""
        p = self.payment.c
        found: list[str] = []
        query = select(func.min(p.gateway)).where(p.account == self.account)

        # One step of an index for each: to read all payments would take as long as they are many.
        while following := self.connect().execute(query).scalar():
            found.append(following)
            query = select(func.min(p.gateway)).where(
                p.account == self.account, p.gateway > following
            )

        return [each for each in found if each != self.source.gateway]

    def unknown(
        self, *, limit: int | None = None, before_id: int | None = None, unseen: bool = False
    ) -> Sequence[Any]:
        """Return the rows of reports about payments that nobody knows, newest first.

        They come from before the row *before_id* on; *unseen* leaves out those that a person has
        looked at.
        """
        c = self.callback.c
        conditions = [*is_unknown(self)]
        conditions += [c.id < before_id] if before_id is not None else []
        conditions += [c.seen_at.is_(None)] if unseen else []
        query = select(self.callback).where(*conditions).order_by(c.id.desc()).limit(limit)
        return self.connect().execute(query).all()

    def find_unknown(self, callback_id: int) -> Any:
        """Return the row of a report about a payment that nobody knows, or None."""
        query = select(self.callback).where(self.callback.c.id == callback_id, *is_unknown(self))
        return self.connect().execute(query).first()

    def reported_payment(self, callback_id: int) -> int | None:
        """Return the id of the payment that a report is about, or None."""
        p, c = self.payment.c, self.callback.c
        same = (p.account == c.account, p.session_id == c.session_id)
        query = select(p.id).where(p.account == self.account, *same, c.id == callback_id)
        found: int | None = self.connect().execute(query).scalar()
        return found

    def unseen_paid(self) -> int:
        """Return how many unknown reports say `paid`, and no person has looked at them."""
        c = self.callback.c
        query = select(func.count()).select_from(self.callback)
        query = query.where(*is_unknown(self), c.status == "paid", c.seen_at.is_(None))
        return int(self.connect().execute(query).scalar_one())


def _names(payment: Any) -> Iterator[str]:
    """Yield what people call *payment*, in small letters."""
    for name in (payment.order_id, payment.order_key, payment.session_id, payment.reference):
        if name is not None:
            yield name.casefold()


def is_unknown(part: Part) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return the conditions of a report to the account of *part* about a payment nobody knows."""
    c = part.callback.c
    # The verdict as a literal: an index that holds unknown rows alone is used for nothing else.
    return (
        c.account == part.account,
        c.verdict == literal_column(f"'{UNKNOWN}'"),
    )
