"""Pruning: which rows and bodies may go after how long (retention), and their removal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    column,
    delete,
    exists,
    func,
    inspect,
    or_,
    select,
    table,
    update,
)

from ..domain.transitions import UNKNOWN
from .transactions import Part, transaction


class Old(NamedTuple):
    """A payment that ended long ago."""

    payment_id: int
    order_id: str
    order_key: str | None
    status: str


class Removed(NamedTuple):
    """How many *payments* and *callbacks* went, and how many payments are *stuck*."""

    payments: int
    callbacks: int
    stuck: int


class Pruning(Part):
    """Remove old rows: a payment goes with all that was told of it, or stays.

    The body of a report may go earlier than the row, which guards without its body. What a row of
    the shop refers to stays.
    """

    def find(
        self,
        *,
        statuses: Sequence[str],
        before: datetime,
        after_id: int,
        limit: int,
    ) -> list[Old]:
        """Return payments that ended with one of *statuses* and were quiet since *before*.

        They come in the order of their ids, from the id after *after_id* on. What waits for the
        dispatcher is not quiet.
        """
        p = self.payment.c
        query = (
            select(p.id, p.order_id, p.order_key, p.status)
            .where(p.id > after_id, *self._quiet(statuses, before))
            .order_by(p.id)
            .limit(limit)
        )
        return [Old(*row) for row in self.session.execute(query)]

    @transaction
    def remove(self, connection: Connection, old: Sequence[Old], *, before: datetime) -> Removed:
        """Remove the payments *old* that are still as they were found, with their callback rows.

        One that something of the shop's refers to is left, and does not keep the others.
        """
        p, c = self.payment.c, self.callback.c
        statuses = sorted({each.status for each in old})
        ids = [each.payment_id for each in old]

        # A late report finds either the payment, and all that was told of it, or nothing.
        self.take_lock(connection)
        rows = connection.execute(
            select(p.id).where(p.id.in_(ids), *self._quiet(statuses, before)).with_for_update()
        ).all()
        about = (c.account == self.account, c.session_id == p.session_id)
        told = select(c.id, p.id.label("payment_id")).where(p.id.in_([r.id for r in rows]), *about)
        reports = {row.id: row.payment_id for row in connection.execute(told)}
        # By ON DELETE CASCADE a row of the shop would go as well.
        kept = self._referred(connection, self.payment, [row.id for row in rows])
        kept |= {reports[each] for each in self._referred(connection, self.callback, [*reports])}
        going = [row.id for row in rows if row.id not in kept]
        gone = [each for each, payment_id in reports.items() if payment_id not in kept]
        callbacks = connection.execute(delete(self.callback).where(c.id.in_(gone)))
        payments = connection.execute(delete(self.payment).where(p.id.in_(going)))
        return Removed(payments.rowcount, callbacks.rowcount, len(kept))

    def count(self, old: Sequence[Old], *, before: datetime) -> Removed:
        """Return what `remove` would remove, unless a row of the shop refers to it."""
        p, c = self.payment.c, self.callback.c
        statuses = sorted({each.status for each in old})
        mine = (p.id.in_([each.payment_id for each in old]), *self._quiet(statuses, before))
        told = (c.account == self.account, c.session_id.in_(select(p.session_id).where(*mine)))
        payments, callbacks = (
            self.session.scalar(select(func.count()).select_from(table).where(*where)) or 0
            for table, where in ((self.payment, mine), (self.callback, told))
        )
        return Removed(payments, callbacks, 0)

    def _referred(self, connection: Connection, ours: Table, ids: Sequence[int]) -> set[int]:
        """Return those of *ids* whose row in the table *ours* a row of the shop refers to."""
        found: set[int] = set()
        keys = inspect(connection).get_multi_foreign_keys(schema=ours.schema)

        for (schema, name), of_table in keys.items():
            for key in of_table:
                if key["referred_table"] != ours.name or not ids:
                    continue

                theirs = table(name, *map(column, key["constrained_columns"]), schema=schema)
                pairs = zip(key["referred_columns"], key["constrained_columns"], strict=True)
                same = and_(*(ours.c[one] == theirs.c[other] for one, other in pairs))
                query = select(ours.c.id).where(ours.c.id.in_(ids), exists().where(same))
                found |= set(connection.execute(query).scalars())

        return found

    @transaction
    def remove_unknown(self, connection: Connection, *, before: datetime, limit: int) -> int:
        """Remove at most *limit* old reports about payments that nobody knows.

        A report that says `paid` stays: perhaps somebody paid, and nobody has looked.
        """
        c, mine = self.callback.c, self._unknown(before)
        ids = connection.execute(select(c.id).where(*mine).limit(limit)).scalars().all()
        return connection.execute(delete(self.callback).where(c.id.in_(ids), *mine)).rowcount

    def count_unknown(self, *, before: datetime) -> int:
        """Return how many reports `remove_unknown` would remove in all."""
        query = select(func.count()).select_from(self.callback).where(*self._unknown(before))
        return self.session.scalar(query) or 0

    @transaction
    def remove_bodies(self, connection: Connection, *, before: datetime, limit: int) -> int:
        """Remove at most *limit* bodies from *before*: what is left of each is empty.

        Returns how many were removed. What was read of a report stays, in the row of its payment.
        """
        self.take_lock(connection)
        c = self.callback.c
        where = self._has_needless_body(before)
        rows = connection.execute(select(c.id, c.verdict).where(*where).limit(limit)).all()
        removed = 0

        for verdict in {row.verdict for row in rows}:
            ids = [row.id for row in rows if row.verdict == verdict]
            # Unless the report was decided upon, or handed over again, meanwhile.
            unchanged = (c.verdict == verdict, *where)
            statement = update(self.callback).where(c.id.in_(ids), *unchanged)
            removed += connection.execute(statement.values(body=b"")).rowcount

        return removed

    def count_bodies(self, *, before: datetime) -> int:
        """Return how many bodies `remove_bodies` would remove in all."""
        query = select(func.count()).select_from(self.callback)
        return self.session.scalar(query.where(*self._has_needless_body(before))) or 0

    def _has_needless_body(self, before: datetime) -> list[ColumnElement[bool]]:
        """The conditions of a report from *before* whose bytes nobody has to read any more."""
        p, c = self.payment.c, self.callback.c
        needed = exists().where(
            p.account == c.account,
            p.session_id == c.session_id,
            p.status.in_(("pending", "review")),
        )
        return [
            c.account == self.account,
            c.received_at < before,
            c.dispatch_at.is_(None),
            # Somebody has yet to find out what an unknown report is about.
            or_(c.verdict != UNKNOWN, c.seen_at.is_not(None)),
            func.length(c.body) > 0,
            ~needed,
        ]

    def _unknown(self, before: datetime) -> list[ColumnElement[bool]]:
        c = self.callback.c
        return [
            c.account == self.account,
            c.verdict == UNKNOWN,
            c.status != "paid",
            c.received_at < before,
        ]

    def _quiet(self, statuses: Sequence[str], before: datetime) -> list[ColumnElement[bool]]:
        p, c = self.payment.c, self.callback.c
        stirring = exists().where(
            c.account == p.account,
            c.session_id == p.session_id,
            or_(c.received_at >= before, c.dispatch_at.is_not(None)),
        )
        return [
            p.account == self.account,
            p.status.in_(statuses),
            p.updated_at < before,
            # Who decided and why, and the note of a refund, stand nowhere else.
            p.reviewed_at.is_(None),
            p.notes.is_(None),
            ~stirring,
        ]
