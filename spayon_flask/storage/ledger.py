"""Ledger: payments as the shop's people look for them, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from datetime import datetime
from datetime import timezone
from typing import Any
from typing import NamedTuple

from sqlalchemy import ColumnElement
from sqlalchemy import Table
from sqlalchemy import or_
from sqlalchemy import select

from ..orders import without_mark
from .transactions import Part
from .writes import end_reading


#: A search for a part of a text reads so many payments at a time, however many there are.
LOOK_THROUGH = 1000

#: Rows that an export holds in memory at once.
BATCH = 1000


class Filter(NamedTuple):
    """Which payments are meant; None leaves a condition out.

    *since* and *until* are about the time when a payment was begun, *paid_since* and *paid_until*
    about `paid_at`. Each *since* is included, each *until* is not. *order_id* is the whole order
    id; *text* is a part of the order id, the session id or the reference, in any case.
    """

    status: str | None = None
    order_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    paid_since: datetime | None = None
    paid_until: datetime | None = None
    text: str | None = None

    @property
    def by_payment_time(self) -> bool:
        """Whether payments are put in the order of `paid_at`."""
        return self.paid_since is not None or self.paid_until is not None

    def conditions(self, payment: Table, account: str) -> list[ColumnElement[bool]]:
        """Return what a row of the table *payment* must fulfil, besides *text*."""
        p = payment.c
        equal = ((p.status, self.status), (p.order_id, self.order_id))
        since = ((p.created_at, self.since), (p.paid_at, self.paid_since))
        until = ((p.created_at, self.until), (p.paid_at, self.paid_until))
        return [
            p.account == account,
            *(column == value for column, value in equal if value is not None),
            *(column >= value for column, value in since if value is not None),
            *(column < value for column, value in until if value is not None),
        ]


class Key(NamedTuple):
    """Where in a list a payment stands: the next page begins after it."""

    moment: datetime
    id: int


#: After every payment that there will ever be: a search for a part begins here.
_START = Key(datetime(2099, 12, 31, tzinfo=timezone.utc), 0)


class Found(NamedTuple):
    """A page of payments, newest first, with all columns of each.

    *after* is where the next page begins, or None if nothing is left. *looked_back_to* is set if a
    search for a part of a text stopped there, and older payments have yet to be looked through.
    *whole* is True if the payments have the text itself as an id: those that contain it begin
    behind *after*.
    """

    rows: Sequence[Any]
    after: Key | None = None
    looked_back_to: datetime | None = None
    whole: bool = False


class Ledger(Part):
    """Read the payments of one account, page by page."""

    def page(self, wanted: Filter, *, limit: int, after: Key | None = None) -> Found:
        """Return at most *limit* payments of *wanted*, newest first, from behind *after* on.

        Payments that were begun (or paid, if *wanted* names a time of payment) at the same moment
        are put in the order of their ids.
        """
        if wanted.text:
            return self._search(wanted, wanted.text, limit, after)

        moment = self._moment(wanted)
        query = (
            select(self.payment)
            .where(*wanted.conditions(self.payment, self.account), *self._behind(moment, after))
            .order_by(moment.desc(), self.payment.c.id.desc())
            .limit(limit + 1)
        )
        rows = self.connect().execute(query).all()
        return Found(rows[:limit], self._key(wanted, rows[limit - 1]) if rows[limit:] else None)

    def _search(self, wanted: Filter, text: str, limit: int, after: Key | None) -> Found:
        """Return the payments that have *text* itself; if there are none, those that contain it.

        A whole id is found by its index, however old it is. A part of one is looked for in the
        newest `LOOK_THROUGH` payments behind *after*: no index holds parts.
        """
        p = self.payment.c
        connection = self.connect()
        moment = self._moment(wanted)
        conditions = wanted.conditions(self.payment, self.account)

        if after is None and (exact := self._exact(conditions, text, limit)):
            return Found(exact, _START, whole=True)

        window = (
            select(self.payment)
            .where(*conditions, *self._behind(moment, after))
            .order_by(moment.desc(), p.id.desc())
            .limit(LOOK_THROUGH)
            .subquery("newest")
        )
        n = window.c
        has_text = or_(
            n.order_id.icontains(text, autoescape=True),
            n.session_id.icontains(text, autoescape=True),
            n.reference.icontains(text, autoescape=True),
        )
        by = n.paid_at if wanted.by_payment_time else n.created_at
        query = select(window).where(has_text).order_by(by.desc(), n.id.desc()).limit(limit + 1)
        rows = connection.execute(query).all()

        if len(rows) > limit:
            return Found(rows[:limit], self._key(wanted, rows[limit - 1]))

        last = connection.execute(
            select(moment, p.id)
            .where(*conditions, *self._behind(moment, after))
            .order_by(moment.desc(), p.id.desc())
            .offset(LOOK_THROUGH - 1)
            .limit(1)
        ).first()
        return Found(rows) if last is None else Found(rows, Key(*last), last[0])

    def _exact(
        self, conditions: Sequence[ColumnElement[bool]], text: str, limit: int
    ) -> Sequence[Any]:
        p = self.payment.c
        found: dict[int, Any] = {}

        # One statement for each column: of three columns joined by OR not every database would use
        # the indexes.
        for column in (p.order_id, p.session_id, p.reference):
            query = select(self.payment).where(column == text, *conditions)
            rows = self.connect().execute(query.order_by(p.id.desc()).limit(limit))
            found.update((row.id, row) for row in rows)

        # Copied from Spayon's panel, perhaps: the id of an attempt.
        order_id = without_mark(text)
        return list(found.values()) or (
            [] if order_id == text else self._exact(conditions, order_id, limit)
        )

    def every(self, wanted: Filter, *, limit: int | None = None) -> Iterator[Any]:
        """Yield all payments of *wanted*, newest first, at most *limit*; `BATCH` rows at a time.

        Those that have the text itself come before those that contain it.
        """
        after: Key | None = None
        left = limit
        whole: set[int] = set()

        while left is None or left > 0:
            found = self.page(wanted, limit=min(BATCH, left or BATCH), after=after)
            rows = [each for each in found.rows if each.id not in whole]
            yield from rows
            after = found.after
            left = None if left is None else left - len(rows)

            # What has the text itself also contains it, and would come again.
            if found.whole:
                whole = {each.id for each in rows}

            if after is None:
                return

    def oldest(self, status: str, *, limit: int, after: Key | None = None) -> Found:
        """Return at most *limit* payments with *status*, the oldest first, behind *after*."""
        p = self.payment.c
        behind = (
            (p.created_at >= after.moment, or_(p.created_at > after.moment, p.id > after.id))
            if after
            else ()
        )
        query = (
            select(self.payment)
            .where(*Filter(status=status).conditions(self.payment, self.account), *behind)
            .order_by(p.created_at, p.id)
            .limit(limit + 1)
        )
        rows = self.connect().execute(query).all()
        last = rows[limit - 1] if rows[limit:] else None
        return Found(rows[:limit], Key(last.created_at, last.id) if last else None)

    def find(self, payment_id: int) -> Any:
        """Return the payment with this id, with all its columns, or None."""
        query = select(self.payment).where(self.payment.c.id == payment_id, self.is_mine)
        return self.connect().execute(query).first()

    def books(
        self, since: datetime | None, until: datetime | None, *, batch: int = BATCH
    ) -> Iterator[Any]:
        """Yield each payment that Spayon called paid, by `paid_at`, the oldest first.

        At most *batch* rows are in memory, and no transaction is open while the caller works on
        them.
        """
        p = self.payment.c
        after: Key | None = None

        while True:
            behind = (
                (p.paid_at >= after.moment, or_(p.paid_at > after.moment, p.id > after.id))
                if after
                else (p.paid_at.is_not(None),)
            )
            wanted = Filter(paid_since=since, paid_until=until)
            query = select(self.payment).where(
                *wanted.conditions(self.payment, self.account), *behind
            )
            rows = self.connect().execute(query.order_by(p.paid_at, p.id).limit(batch)).all()
            end_reading(self.session)
            yield from rows

            if len(rows) < batch:
                return

            after = Key(rows[-1].paid_at, rows[-1].id)

    def _behind(self, moment: Any, after: Key | None) -> Sequence[ColumnElement[bool]]:
        if after is None:
            return ()

        # The first condition is what an index serves; the second one is for equal moments.
        earlier = or_(moment < after.moment, self.payment.c.id < after.id)
        return (moment <= after.moment, earlier)

    def _moment(self, wanted: Filter) -> Any:
        return self.payment.c.paid_at if wanted.by_payment_time else self.payment.c.created_at

    def _key(self, wanted: Filter, row: Any) -> Key:
        return Key(row.paid_at if wanted.by_payment_time else row.created_at, row.id)
