"""Pruning: which rows and bodies may go after how long (retention), and their removal."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Any
from typing import NamedTuple

from sqlalchemy import ColumnElement
from sqlalchemy import Connection
from sqlalchemy import LargeBinary
from sqlalchemy import and_
from sqlalchemy import bindparam
from sqlalchemy import delete
from sqlalchemy import exists
from sqlalchemy import func
from sqlalchemy import or_
from sqlalchemy import select
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from ..errors import HandlerError
from ..reports import TRIMMED
from ..reports import Report
from ..reports import read_stored
from ..reports import trim
from ..transitions import UNKNOWN
from .transactions import Part
from .transactions import transaction


logger = logging.getLogger(__name__)


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


class Trimmed(NamedTuple):
    """One batch: how many *bodies* were removed, and the id of the last callback row."""

    bodies: int
    last_id: int


class Pruning(Part):
    """Remove old rows: a payment goes with all that was told of it, or stays.

    The body of a report may go earlier than the row, which guards without its body.
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

    def remove(self, old: Sequence[Old], *, before: datetime) -> Removed:
        """Remove the payments *old* that are still as they were found, with their callback rows.

        One that something of the shop's refers to is left, and does not keep the others.
        """
        try:
            return self._remove(old, before)

        except (IntegrityError, HandlerError):
            if len(old) == 1:
                logger.warning(
                    "a payment cannot go: a row of the shop refers to it",
                    extra={"account": self.account, "payment_id": old[0].payment_id},
                )
                return Removed(0, 0, 1)

        parts = [self.remove([each], before=before) for each in old]
        return Removed(*map(sum, zip(*parts, strict=True)))

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

    @transaction
    def _remove(self, connection: Connection, old: Sequence[Old], before: datetime) -> Removed:
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
        return Removed(paid.rowcount, told.rowcount, 0)

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
    def trim_bodies(
        self, connection: Connection, *, before: datetime, after_id: int, limit: int, now: datetime
    ) -> Trimmed | None:
        """Trim at most *limit* bodies from *before* with an id above *after_id*; None if none is.

        What we read of a report stays, with a digest of its bytes.
        """
        if connection.dialect.name == "sqlite":
            connection.execute(self.take_lock)

        c = self.callback.c
        rows = connection.execute(
            select(c.id, c.session_id, c.status, c.verdict, c.body)
            .where(c.id > after_id, *self._has_needless_body(before))
            .order_by(c.id)
            .limit(limit)
        ).all()
        bodies = 0

        for row in rows:
            bare = Report(row.session_id, row.status, bytes(row.body))
            left = trim(read_stored(row.body) or bare, now=now)
            values = {"the_id": row.id, "the_verdict": row.verdict, "body": left}
            bodies += connection.execute(self._write_trimmed, values).rowcount

        return Trimmed(bodies, rows[-1].id) if rows else None

    def count_bodies(self, *, before: datetime) -> int:
        """Return how many bodies `trim_bodies` would trim in all."""
        query = select(func.count()).select_from(self.callback)
        return self.session.scalar(query.where(*self._has_needless_body(before))) or 0

    @cached_property
    def _write_trimmed(self) -> Any:
        c = self.callback.c
        return (
            update(self.callback)
            .where(
                c.id == bindparam("the_id"),
                # Unless the report was decided upon, handed over again or trimmed meanwhile.
                c.verdict == bindparam("the_verdict"),
                c.dispatch_at.is_(None),
                self._is_whole,
            )
            .values(body=bindparam("body"))
        )

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
            self._is_whole,
            ~needed,
        ]

    @cached_property
    def _is_whole(self) -> ColumnElement[bool]:
        """The condition that a body is there, with all its bytes."""
        c = self.callback.c
        beginning = func.substr(c.body, 1, len(TRIMMED), type_=LargeBinary())
        return and_(func.length(c.body) > 0, beginning != TRIMMED)

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
            p.refunded_at.is_(None),
            ~stirring,
        ]
