"""Queries: payments and callbacks as an operator looks for them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy import func
from sqlalchemy import inspect
from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlalchemy.orm import scoped_session

from ..models import CallbackMixin
from ..models import PaymentMixin
from ..models import table_of
from .inspection import find_differences


class Queries:
    """Read the payments of one *account* through *session*; nothing is written."""

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

    def look_again(self) -> None:
        """See the present from now on, and not the snapshot that was read before."""
        self._session.rollback()

    def differences(self) -> list[str]:
        """Return what the models have and the database lacks, in words."""
        connection = self._session().connection(bind_arguments={"mapper": inspect(self._payment)})
        return find_differences(connection, [table_of(self._payment), table_of(self._callback)])

    def payments(
        self,
        *,
        status: str | None = None,
        session_id: str | None = None,
        order_id: str | None = None,
        since: datetime | None = None,
        with_session: bool = False,
        limit: int | None = None,
    ) -> Sequence[Any]:
        """Return payments, newest first; *with_session* leaves out those Spayon never answered."""
        p = self._payment
        wanted = {p.status: status, p.session_id: session_id, p.order_id: order_id}
        where = [column == value for column, value in wanted.items() if value is not None]

        if since is not None:
            where.append(p.created_at >= since)

        if with_session:
            where.append(p.session_id.is_not(None))

        query = select(p).where(p.account == self._account, *where).order_by(p.id.desc())
        return self._session.scalars(query.limit(limit)).all()

    def callbacks(self, session_id: str) -> Sequence[Any]:
        """Return what Spayon told us of a payment session, in the order in which it came."""
        c = self._callback
        query = select(c).where(c.account == self._account, c.session_id == session_id)
        return self._session.scalars(query.order_by(c.id)).all()

    def unknown(self, *, since: datetime) -> int:
        """Return how many reports about payments that we do not know have come *since*."""
        c = self._callback
        return self._count(c, c.verdict == "unknown", c.received_at >= since)

    def under_review(self) -> int:
        """Return how many payments wait for a person."""
        return self._count(self._payment, self._payment.status == "review")

    def unanswered(self, *, before: datetime) -> tuple[int, datetime | None]:
        """Return how many payments of *before* are still pending, and since when the oldest is."""
        p = self._payment
        query = select(func.count(), func.min(p.created_at)).where(
            p.account == self._account, p.status == "pending", p.created_at < before
        )
        number, oldest = self._session.execute(query).one()
        return number, oldest

    def undispatched(self, *, now: datetime) -> int:
        """Return how many callback rows the dispatcher should have been given by now."""
        c = self._callback
        return self._count(c, c.dispatch_at <= now)

    def secrets_seen(self) -> dict[int, datetime]:
        """Return when each callback secret, counted from 0, has last verified a callback."""
        c = self._callback
        query = (
            select(c.secret_index, func.max(c.received_at))
            .where(c.account == self._account, c.secret_index.is_not(None))
            .group_by(c.secret_index)
        )
        return {row[0]: row[1] for row in self._session.execute(query) if row[0] is not None}

    def _count(self, model: Any, *where: ColumnElement[bool]) -> int:
        query = select(func.count()).select_from(model)
        return self._session.scalar(query.where(model.account == self._account, *where)) or 0
