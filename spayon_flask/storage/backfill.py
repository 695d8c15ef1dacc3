"""Backfill: what Spayon reported of payments from before 0.2, read from the stored bodies."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import Any
from typing import NamedTuple

from sqlalchemy import Connection
from sqlalchemy import Integer
from sqlalchemy import and_
from sqlalchemy import bindparam
from sqlalchemy import or_
from sqlalchemy import select
from sqlalchemy import update

from ..reports import Report
from ..reports import read_stored
from ..transitions import BARRING
from .transactions import Part
from .transactions import transaction


class Filled(NamedTuple):
    """One batch: how many payments got their columns, and the id of the last one.

    *without_body* of them had no stored body that could be read: they are paid when we heard of
    them, and what Spayon reported stays unknown.
    """

    payments: int
    without_body: int
    last_id: int


class Backfill(Part):
    """Fill `paid_at`, `reported_price` and `reported_currency` of rows written earlier."""

    @transaction
    def fill(self, connection: Connection, *, after_id: int, limit: int) -> Filled | None:
        """Fill at most *limit* payments with an id above *after_id*; None if there are no more.

        A payment that has its columns is left alone, so a second run finds nothing.
        """
        key = {"the_last": after_id, "the_limit": limit}
        rows = connection.execute(self._find, key).all()
        without_body = 0

        for row in rows:
            report = read_stored(row.body)
            without_body += report is None
            values = {
                "the_id": row.id,
                "paid_at": _paid_at(row, report),
                "reported_price": report and report.price,
                "reported_currency": report and report.currency,
            }
            connection.execute(self._write, values)

        return Filled(len(rows), without_body, rows[-1].id) if rows else None

    @cached_property
    def _find(self) -> Any:
        p, c = self.payment.c, self.callback.c
        limit: Any = bindparam("the_limit", type_=Integer())
        said_paid = and_(c.session_id == p.session_id, c.status == "paid", c.account == p.account)
        return (
            select(p.id, p.updated_at, c.body, c.received_at)
            .select_from(self.payment.outerjoin(self.callback, said_paid))
            .where(
                p.id > bindparam("the_last"),
                self.is_mine,
                p.paid_at.is_(None),
                # One that was refused was reported as paid, too.
                or_(p.status.in_(BARRING), p.review.is_not(None)),
            )
            .order_by(p.id)
            .limit(limit)
        )

    @cached_property
    def _write(self) -> Any:
        p = self.payment.c
        names = ("paid_at", "reported_price", "reported_currency")
        return (
            update(self.payment)
            .where(p.id == bindparam("the_id"), p.paid_at.is_(None))
            .values({name: bindparam(name) for name in names})
        )


def _paid_at(row: Any, report: Report | None) -> datetime:
    """Return when Spayon says that the payment was paid, or else when we heard of it."""
    said = report and report.updated_at
    heard: datetime = row.received_at or row.updated_at
    return said or heard
