"""Retention: which rows may go, and when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from typing import NamedTuple

from sqlalchemy import ColumnElement
from sqlalchemy import delete
from sqlalchemy import exists
from sqlalchemy import or_
from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlalchemy.orm import scoped_session

from ..models import CallbackMixin
from ..models import PaymentMixin
from ..verdicts import UNKNOWN
from .transactions import with_retries


class Old(NamedTuple):
    """A payment that ended long ago."""

    payment_id: int
    order_id: str
    status: str


class Retention:
    """Remove old rows of *account*: a payment goes with all that was told of it, or stays."""

    def __init__(
        self,
        account: str,
        session: scoped_session[Session],
        payment_class: type[PaymentMixin],
        callback_class: type[CallbackMixin],
    ) -> None:
        self._account = account
        self._session = session
        self._payment = payment_class
        self._callback = callback_class

    def find(
        self,
        *,
        statuses: Sequence[str],
        before: datetime,
        after_id: int,
        limit: int,
    ) -> list[Old]:
        """Return payments that ended with one of *statuses* and were quiet since *before*.

        They come in the order of their ids, from the one after *after_id* on. What waits for the
        dispatcher is not quiet.
        """
        p = self._payment
        query = (
            select(p.id, p.order_id, p.status)
            .where(p.id > after_id, *self._quiet(statuses, before))
            .order_by(p.id)
            .limit(limit)
        )
        return [Old(row.id, row.order_id, row.status) for row in self._session.execute(query)]

    def remove(self, old: Sequence[Old], *, before: datetime) -> tuple[int, int]:
        """Remove the payments *old* that are still as they were found, with their callback rows.

        Commits, and returns how many payments and how many callback rows went.
        """
        session = self._session()
        p, c = self._payment, self._callback
        statuses = sorted({each.status for each in old})
        ids = [each.payment_id for each in old]

        def work() -> tuple[int, int]:
            # Locked, so that a late report finds either the payment or none.
            rows = session.execute(
                select(p.id, p.session_id)
                .where(p.id.in_(ids), *self._quiet(statuses, before))
                .with_for_update()
            ).all()
            sessions = [row.session_id for row in rows if row.session_id is not None]
            told = self._delete(session, c, c.account == self._account, c.session_id.in_(sessions))
            paid = self._delete(session, p, p.id.in_([row.id for row in rows]))
            session.commit()
            return paid, told

        return with_retries(session, work)

    def remove_unknown(self, *, before: datetime, limit: int) -> int:
        """Remove at most *limit* old reports about payments that nobody knows; commit.

        One that says `paid` stays: perhaps somebody paid, and nobody has looked.
        """
        session = self._session()
        c = self._callback
        mine = (
            c.account == self._account,
            c.verdict == UNKNOWN,
            c.status != "paid",
            c.received_at < before,
        )

        def work() -> int:
            ids = session.scalars(select(c.id).where(*mine).limit(limit)).all()
            removed = self._delete(session, c, c.id.in_(ids), *mine)
            session.commit()
            return removed

        return with_retries(session, work)

    def _quiet(self, statuses: Sequence[str], before: datetime) -> list[ColumnElement[bool]]:
        p, c = self._payment, self._callback
        stirring = exists().where(
            c.account == p.account,
            c.session_id == p.session_id,
            or_(c.received_at >= before, c.dispatch_at.is_not(None)),
        )
        return [
            p.account == self._account,
            p.status.in_(statuses),
            p.updated_at < before,
            ~stirring,
        ]

    def _delete(self, session: Session, model: Any, *where: ColumnElement[bool]) -> int:
        statement = delete(model).where(*where).execution_options(synchronize_session=False)
        result: Any = session.execute(statement)
        return int(result.rowcount)
