"""Notes: what people write down beside the rows; a note changes no status and moves no money."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy import Connection
from sqlalchemy import bindparam
from sqlalchemy import func
from sqlalchemy import literal_column
from sqlalchemy import select
from sqlalchemy import update

from ..transitions import UNKNOWN
from .transactions import Part
from .transactions import transaction


class Notes(Part):
    """Keep who gave a payment back, and who looked at a report that nobody could match."""

    @transaction
    def refunded(
        self, connection: Connection, payment_id: int, *, by: str, because: str, now: datetime
    ) -> bool:
        """Note on a payment that is paid that its money was given back in Spayon's panel.

        Returns False if the payment is not paid, or has such a note already: the first one stands.
        """
        values = {"refunded_by": by, "refunded_because": because, "refunded_at": now}
        result = connection.execute(self._write_refund, {"the_id": payment_id} | values)
        return bool(result.rowcount == 1)

    @cached_property
    def _write_refund(self) -> Any:
        p = self.payment.c
        names = ("refunded_by", "refunded_because", "refunded_at")
        return (
            update(self.payment)
            .where(
                p.id == bindparam("the_id"),
                self.is_mine,
                p.status == "paid",
                p.refunded_at.is_(None),
            )
            .values({name: bindparam(name) for name in names})
        )

    @transaction
    def take_back_refund(self, connection: Connection, payment_id: int) -> bool:
        """Remove the note of a refund, which was a mistake. Returns False if there is none."""
        result = connection.execute(self._remove_refund, {"the_id": payment_id})
        return bool(result.rowcount == 1)

    @cached_property
    def _remove_refund(self) -> Any:
        p = self.payment.c
        return (
            update(self.payment)
            .where(p.id == bindparam("the_id"), self.is_mine, p.refunded_at.is_not(None))
            .values(refunded_by=None, refunded_because=None, refunded_at=None)
        )

    @transaction
    def seen(
        self, connection: Connection, callback_id: int, *, by: str, because: str, now: datetime
    ) -> bool:
        """Note that a person has looked at an unknown report, so that nobody is warned of it again.

        Returns False if the row is no unknown report any more, or somebody was faster.
        """
        values = {"seen_by": by, "seen_because": because, "seen_at": now}
        result = connection.execute(self._write_seen, {"the_id": callback_id} | values)
        return bool(result.rowcount == 1)

    @cached_property
    def _write_seen(self) -> Any:
        c = self.callback.c
        names = ("seen_by", "seen_because", "seen_at")
        return (
            update(self.callback)
            .where(c.id == bindparam("the_id"), *self._unknown, c.seen_at.is_(None))
            .values({name: bindparam(name) for name in names})
        )

    def unknown(
        self, *, limit: int | None = None, before_id: int | None = None, unseen: bool = False
    ) -> Sequence[Any]:
        """Return the rows of reports about payments that nobody knows, newest first.

        They come from before the row *before_id* on; *unseen* leaves out those that a person has
        looked at.
        """
        c = self.callback.c
        where = [*self._unknown]

        if before_id is not None:
            where.append(c.id < before_id)

        if unseen:
            where.append(c.seen_at.is_(None))

        query = select(self.callback).where(*where).order_by(c.id.desc()).limit(limit)
        return self.connect().execute(query).all()

    def unseen_paid(self) -> int:
        """Return how many unknown reports say `paid`, and no person has looked at them."""
        c = self.callback.c
        query = select(func.count()).select_from(self.callback)
        query = query.where(*self._unknown, c.status == "paid", c.seen_at.is_(None))
        return int(self.connect().execute(query).scalar_one())

    @property
    def _unknown(self) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        c = self.callback.c
        # The verdict as a literal: an index that holds unknown rows alone is used for nothing else.
        return (
            c.account == bindparam("the_account", self.account),
            c.verdict == literal_column(f"'{UNKNOWN}'"),
        )
