"""Queries: a payment by its name, those of an order, and reports; nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, literal_column, select

from ..domain.transitions import UNKNOWN, can_be_paid
from ..errors import PaymentGoneError
from .guard import end_reading, holds_changes
from .models import PaymentMixin
from .transactions import Part


class Queries(Part):
    """Read payments and reports of one account, where they are written: no replica is asked."""

    def get(self, payment_id: int) -> PaymentMixin:
        """Return a payment as it is in the database now; raises `PaymentGoneError`."""
        row = self._first(self.payment.c.id == payment_id)

        if row is None:
            raise PaymentGoneError(f"the payment with the id {payment_id} is not in the table")

        return self.loaded(row)

    def find(
        self, *, session_id: str | None = None, reference: str | None = None
    ) -> PaymentMixin | None:
        """Return the payment with this session id or reference, or None."""
        row = self._first(*self._is_named(self.payment.c, session_id, reference))
        return None if row is None else self.loaded(row)

    def named(self, name: str) -> PaymentMixin | None:
        """Return the payment with *name* as its session id, or else as its reference, or None."""
        return self.find(session_id=name) or self.find(reference=name)

    def standing(self, order_id: str, *, now: datetime) -> PaymentMixin | None:
        """Return the payment that says how an order stands at *now*, or None if there is none.

        The one that is paid; else one under review; else the one that can be paid now; else the
        newest.
        """

        def counts(payment: PaymentMixin) -> tuple[bool, bool, bool, int]:
            live = can_be_paid(payment, now)
            return payment.status == "paid", payment.status == "review", live, payment.id

        found = max(self.attempts(order_id), key=counts, default=None)
        return None if found is None else self.loaded(found)

    def attempts(self, order_id: Any) -> Sequence[Any]:
        """Return the row of every payment of an order as it is now, the oldest first."""
        p = self.payment.c
        query = select(self.payment).where(p.account == self.account, p.order_id == order_id)
        return sorted(self.connect().execute(query), key=lambda row: int(row.id))

    def attempts_beside(
        self, *, session_id: str | None = None, reference: str | None = None
    ) -> Sequence[Any]:
        """Return the rows of the payment with this session id or reference, and its order's others.

        The oldest comes first; there is none if there is no such payment.
        """
        mine = self.payment.alias().c
        order_id = select(mine.order_id).where(*self._is_named(mine, session_id, reference))
        return self.attempts(order_id.scalar_subquery())

    def loaded(self, row: Any) -> PaymentMixin:
        """Return *row* as an object; the database is not asked."""
        return self.load(row._mapping)  # noqa: SLF001  public, by SQLAlchemy's documentation

    def _first(self, *conditions: ColumnElement[bool]) -> Any:
        return self.connect().execute(select(self.payment).where(*conditions)).first()

    def _is_named(
        self, columns: Any, session_id: str | None, reference: str | None
    ) -> tuple[ColumnElement[bool], ...]:
        name = columns.reference == reference
        name = name if session_id is None else columns.session_id == session_id
        return (columns.account == self.account, name)

    def look_again(self) -> None:
        """See the present from now on, and not the snapshot that was read before."""
        if holds_changes(self.session):
            self.session.rollback()

        else:
            end_reading(self.session)

    def callbacks(self, session_id: str) -> Sequence[Any]:
        """Return what Spayon told us of a payment session, in the order in which it came."""
        c = self.callback.c
        query = select(self.callback).where(c.account == self.account, c.session_id == session_id)
        return self.connect().execute(query.order_by(c.id)).all()

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


def is_unknown(part: Part) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return the conditions of a report to the account of *part* about a payment nobody knows."""
    c = part.callback.c
    # The verdict as a literal: an index that holds unknown rows alone is used for nothing else.
    return (
        c.account == part.account,
        c.verdict == literal_column(f"'{UNKNOWN}'"),
    )
