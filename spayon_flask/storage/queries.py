"""Queries: a payment by its name, and those of an order; nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, bindparam, select

from ..domain.transitions import can_be_paid
from ..errors import PaymentGoneError
from .guard import end_reading, holds_changes
from .models import PaymentMixin
from .transactions import Part, statement


class Queries(Part):
    """Read single payments of one account, where they are written and not from a late replica."""

    def get(self, payment_id: int) -> PaymentMixin:
        """Return a payment as it is in the database now; raises `PaymentGoneError`."""
        payment = self._find(self._by_id, payment_id)

        if payment is None:
            raise PaymentGoneError(f"the payment with the id {payment_id} is not in the table")

        return payment

    def find(
        self, *, session_id: str | None = None, reference: str | None = None
    ) -> PaymentMixin | None:
        """Return the payment with this session id or reference, or None."""
        if session_id is not None:
            return self._find(self._by_session_id, session_id)

        return self._find(self._by_reference, reference)

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

    def attempts(self, order_id: str) -> Sequence[Any]:
        """Return the row of every payment of an order as it is now, the oldest first."""
        rows = self.connect().execute(self._of_order, {"the_key": order_id, **self.mine})
        return sorted(rows, key=lambda row: int(row.id))

    def attempts_beside(
        self, *, session_id: str | None = None, reference: str | None = None
    ) -> Sequence[Any]:
        """Return the rows of the payment with this session id or reference, and its order's others.

        The oldest comes first; there is none if there is no such payment.
        """
        column, key = ("session_id", session_id) if session_id else ("reference", reference)
        rows = self.connect().execute(self._beside[column], {"the_key": key, **self.mine})
        return sorted(rows, key=lambda row: int(row.id))

    def loaded(self, row: Any) -> PaymentMixin:
        """Return *row* as an object; the database is not asked."""
        return self.load(row._mapping)  # noqa: SLF001  public, by SQLAlchemy's documentation

    def _find(self, query: Any, key: object) -> PaymentMixin | None:
        row = self.connect().execute(query, {"the_key": key, **self.mine}).mappings().first()
        return None if row is None else self.load(row)

    @statement
    def _by_id(self) -> Any:
        return select(self.payment).where(self.payment.c.id == bindparam("the_key"))

    @statement
    def _by_session_id(self) -> Any:
        p = self.payment.c
        return select(self.payment).where(p.session_id == bindparam("the_key"), self.is_mine)

    @statement
    def _by_reference(self) -> Any:
        p = self.payment.c
        return select(self.payment).where(p.reference == bindparam("the_key"), self.is_mine)

    @statement
    def _beside(self) -> dict[str, Any]:
        mine = self.payment.alias()
        p = self.payment.c
        account: BindParameter[str] = bindparam("the_account")
        return {
            name: select(self.payment).where(
                p.account == account,
                p.order_id
                == select(mine.c.order_id)
                .where(mine.c[name] == bindparam("the_key"), mine.c.account == account)
                .scalar_subquery(),
            )
            for name in ("session_id", "reference")
        }

    @statement
    def _of_order(self) -> Any:
        p = self.payment.c
        return select(self.payment).where(p.order_id == bindparam("the_key"), self.is_mine)

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
