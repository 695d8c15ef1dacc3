"""Pruning: which rows may go after how long (retention), and their removal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement
from sqlalchemy import Connection
from sqlalchemy import delete
from sqlalchemy import exists
from sqlalchemy import or_
from sqlalchemy import select

from ..transitions import UNKNOWN
from .part import Part
from .transactions import transaction


class Old(NamedTuple):
    """A payment that ended long ago."""

    payment_id: int
    order_id: str
    order_key: str | None
    status: str


class Pruning(Part):
    """Remove old rows: a payment goes with all that was told of it, or stays."""

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
    def remove(
        self, connection: Connection, old: Sequence[Old], *, before: datetime
    ) -> tuple[int, int]:
        """Remove the payments *old* that are still as they were found, with their callback rows.

        Returns how many payments and how many callback rows went.
        """
        p, c = self.payment.c, self.callback.c
        statuses = sorted({each.status for each in old})
        ids = [each.payment_id for each in old]

        # A late report finds either the payment, and all that was told of it, or nothing. SQLite
        # has no row locks: a write, even of nothing, takes the lock of the database.
        if connection.dialect.name == "sqlite":
            connection.execute(self.take_lock)

        rows = connection.execute(
            select(p.id, p.session_id)
            .where(p.id.in_(ids), *self._quiet(statuses, before))
            .with_for_update()
        ).all()
        sessions = [row.session_id for row in rows if row.session_id is not None]
        told = connection.execute(
            delete(self.callback).where(c.account == self.account, c.session_id.in_(sessions))
        )
        paid = connection.execute(delete(self.payment).where(p.id.in_([row.id for row in rows])))
        return paid.rowcount, told.rowcount

    @transaction
    def remove_unknown(self, connection: Connection, *, before: datetime, limit: int) -> int:
        """Remove at most *limit* old reports about payments that nobody knows.

        A report that says `paid` stays: perhaps somebody paid, and nobody has looked.
        """
        c = self.callback.c
        mine = (
            c.account == self.account,
            c.verdict == UNKNOWN,
            c.status != "paid",
            c.received_at < before,
        )
        ids = connection.execute(select(c.id).where(*mine).limit(limit)).scalars().all()
        return connection.execute(delete(self.callback).where(c.id.in_(ids), *mine)).rowcount

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
            p.refunded_at.is_(None),
            ~stirring,
        ]
