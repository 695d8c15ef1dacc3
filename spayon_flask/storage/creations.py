"""Creations: what becomes of a payment session that Spayon was asked to create."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Any
from typing import NamedTuple

from sqlalchemy import Connection
from sqlalchemy import bindparam
from sqlalchemy import case
from sqlalchemy import delete
from sqlalchemy import or_
from sqlalchemy import select
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from ..errors import HandlerError
from ..transitions import UNKNOWN
from .checkouts import SESSION_LIFETIME
from .checkouts import Checkouts
from .transactions import Part
from .transactions import Source
from .transactions import transaction


class EarlyReport(NamedTuple):
    """A report that was recorded before its payment session was known."""

    body: bytes
    source: str
    secret_index: int | None


class Creations(Part):
    """Write down the answer to a creation, or that there was none."""

    def __init__(self, source: Source, checkouts: Checkouts) -> None:
        super().__init__(source)
        self._checkouts = checkouts

    def settle(
        self,
        payment_id: int,
        session_id: str,
        session_url: str,
        *,
        asked_at: datetime,
        now: datetime,
    ) -> Sequence[EarlyReport] | None:
        """Commit Spayon's answer to a question of *asked_at*; return the reports that came before.

        Returns None if the payment has taken over another payment session in the meantime, or
        another payment has this one.
        """
        values = {
            "the_id": payment_id,
            "session_id": session_id,
            "session_url": session_url,
            # The payment session began when we asked, at the earliest. To count from the answer
            # would promise the payer time that there is not.
            "expires_at": asked_at + SESSION_LIFETIME,
            "due_at": now,
            "updated_at": now,
        }

        try:
            return self._settle(values)

        except IntegrityError:
            return None

    @transaction
    def _settle(
        self, connection: Connection, values: Mapping[str, Any]
    ) -> Sequence[EarlyReport] | None:
        if connection.execute(self._write_session, values).rowcount != 1:
            return None

        rows = connection.execute(self._find_early, {"the_session_id": values["session_id"]})
        return [EarlyReport(bytes(row.body), row.source, row.secret_index) for row in rows]

    @cached_property
    def _write_session(self) -> Any:
        p = self.payment.c
        # The parameter of a case takes no type from the column that is written.
        due_at = bindparam("due_at", type_=p.due_at.type)
        names = ("session_id", "session_url", "expires_at", "updated_at")
        return (
            update(self.payment)
            .where(
                p.id == bindparam("the_id"),
                or_(p.session_id.is_(None), p.session_id == bindparam("session_id")),
            )
            .values(
                {name: bindparam(name) for name in names}
                # A callback may have been quicker, and then there is nothing left to ask.
                | {"due_at": case((p.status == "pending", due_at), else_=p.due_at)}
            )
        )

    @cached_property
    def _find_early(self) -> Any:
        c = self.callback.c
        return select(c.body, c.source, c.secret_index).where(
            c.session_id == bindparam("the_session_id"), c.verdict == UNKNOWN
        )

    def release(self, payment_id: int, *, was_sent: bool = True) -> None:
        """Let go of the order of a payment whose creation failed: the payer may try again at once.

        If the question reached Spayon (*was_sent*), Spayon may have created the payment session all
        the same. Then a row stays pending, to which a report can belong: one for each order and
        price, however often the payer tries. Any other row is removed, unless a row of the shop
        refers to it.
        """
        try:
            self._release(payment_id, was_sent=was_sent)

        except (IntegrityError, HandlerError):
            # The shop's `on_details` wrote that row, for instance.
            self._let_go(payment_id)

    @transaction
    def _let_go(self, connection: Connection, payment_id: int) -> None:
        self._checkouts.let_go(connection, payment_id)

    @transaction
    def _release(self, connection: Connection, payment_id: int, *, was_sent: bool) -> None:
        row = connection.execute(self._find_unanswered, {"the_id": payment_id}).first()

        if row is None:
            # A report was quicker than the answer, and the payment is that of a payment session.
            self._checkouts.let_go(connection, payment_id)
            return

        key = {"the_id": payment_id, "the_order_id": row.order_id}
        twins = connection.execute(self._find_twins, key).all()
        asks = (row.product_id, row.product_name, row.price, row.currency, row.superseded)

        if not was_sent or asks in [tuple(twin) for twin in twins]:
            connection.execute(self._remove_unanswered, {"the_id": payment_id})

        else:
            self._checkouts.let_go(connection, payment_id)

    @cached_property
    def _find_unanswered(self) -> Any:
        p = self.payment.c
        return select(
            p.order_id, p.product_id, p.product_name, p.price, p.currency, p.superseded
        ).where(p.id == bindparam("the_id"), p.session_id.is_(None), p.status == "pending")

    @cached_property
    def _find_twins(self) -> Any:
        """What the other payments of an order without an answer of Spayon ask for."""
        p = self.payment.c
        return select(p.product_id, p.product_name, p.price, p.currency, p.superseded).where(
            p.order_id == bindparam("the_order_id"),
            self.is_mine,
            p.id != bindparam("the_id"),
            p.session_id.is_(None),
            p.status == "pending",
            # Not one that is being created at this moment, which may be removed as well.
            p.held_order_id.is_(None),
        )

    @cached_property
    def _remove_unanswered(self) -> Any:
        p = self.payment.c
        return delete(self.payment).where(
            p.id == bindparam("the_id"), p.session_id.is_(None), p.status == "pending"
        )
