"""Reviews: what a person decides about a payment that was held back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from ..domain.transitions import APPLIED, BARRING, REVIEW, Transition
from ..errors import NeedsReview, ReviewError
from .models import PaymentMixin
from .outbox import Leased, Outbox
from .queries import Queries
from .status import NEEDED, StatusWriter
from .transactions import Part, Source, statement, transaction


class Reviews(Part):
    """Move payments out of review."""

    def __init__(
        self, source: Source, status: StatusWriter, outbox: Outbox, queries: Queries
    ) -> None:
        super().__init__(source)
        self._status = status
        self._outbox = outbox
        self._queries = queries

    def settle(
        self, payment_id: int, *, accept: bool, by: str, because: str, now: datetime
    ) -> PaymentMixin:
        """Make a payment under review `paid` or else `failed`, and return it.

        The handlers of the new status run once. Who decided, and why, is kept. Then the dispatcher
        is given the callback rows again that the money guard held back. Raises `ReviewError` if the
        payment is not under review, cannot become `paid`, or needs another review; and
        `HandlerError`.
        """
        try:
            again = self._settle(payment_id, accept, by, because, now)

        except NeedsReview as doubt:
            raise ReviewError(f"the payment stays under review: {doubt.reason}") from None

        for leased in again:
            self._outbox.hand_over_or_log(leased)

        self._outbox.tell_status("paid" if accept else "failed", payment_id)
        return self._queries.get(payment_id)

    @transaction
    def _settle(
        self,
        connection: Connection,
        payment_id: int,
        accept: bool,
        by: str,
        because: str,
        now: datetime,
    ) -> Sequence[Leased]:
        found = connection.execute(self._find, {"the_id": payment_id, **self.mine}).first()

        if found is None or found.status != "review":
            raise ReviewError(f"this payment is not under review, it is {_standing(found)}")

        if accept:
            self._check_order(connection, found)

        self.see_present(connection)

        # First the callback rows, then the payment: the order in which a report locks them.
        again = self._lease_again(connection, found.session_id, now)
        person = {"reviewed_by": by, "reviewed_because": because, "reviewed_at": now}
        connection.execute(self._write_person, {"the_id": payment_id} | person)
        transition = Transition(APPLIED, "paid" if accept else "failed", found.review)
        self._status.write(connection, found, transition, now=now)
        return again

    @statement
    def _find(self) -> Any:
        p = self.payment.c
        return select(*(p[name] for name in (*NEEDED, "reviewed_by", "reviewed_at"))).where(
            p.id == bindparam("the_id"), self.is_mine
        )

    @statement
    def _write_person(self) -> Any:
        p = self.payment.c
        names = ("reviewed_by", "reviewed_because", "reviewed_at")
        return (
            update(self.payment)
            .where(p.id == bindparam("the_id"))
            .values({name: bindparam(name) for name in names})
        )

    def _check_order(self, connection: Connection, found: Any) -> None:
        holder = self._status.holder(connection, found.order_id)

        if holder is None or holder.id == found.id or holder.status not in BARRING:
            return

        if holder.status == "paid":
            raise ReviewError(
                f"order {found.order_id} is paid already, by payment session "
                f"{holder.session_id}: refund this one in Spayon's admin panel, then refuse it"
            )

        raise ReviewError(
            f"another payment of order {found.order_id} is under review too, and holds the "
            f"order: settle payment session {holder.session_id} first"
        )

    def _lease_again(
        self, connection: Connection, session_id: str | None, now: datetime
    ) -> Sequence[Leased]:
        until = self._outbox.dispatch_at(now)

        if until is None:
            return []

        key = {"the_session_id": session_id, **self.mine}
        rows = connection.execute(self._find_held_back, key).all()

        # A hand-over that ends late knows its lease by this moment, so it must be another one.
        while any(row.dispatch_at == until for row in rows):
            until += timedelta(milliseconds=1)

        connection.execute(self._dispatch_again, key | {"dispatch_at": until})
        return [Leased(row.id, until) for row in rows]

    @statement
    def _is_held_back(self) -> Any:
        c = self.callback.c
        return (
            c.account == bindparam("the_account"),
            c.session_id == bindparam("the_session_id"),
            c.verdict == REVIEW,
        )

    @statement
    def _find_held_back(self) -> Any:
        return select(self.callback.c.id, self.callback.c.dispatch_at).where(*self._is_held_back)

    @statement
    def _dispatch_again(self) -> Any:
        return (
            update(self.callback)
            .where(*self._is_held_back)
            .values(dispatch_at=bindparam("dispatch_at"))
        )


def _standing(found: Any) -> str:
    """Return how a payment stands that is not under review, and who has decided about it."""
    if found is None:
        return "gone"

    if found.reviewed_at is None:
        return str(found.status)

    return f"{found.status}: {found.reviewed_by} decided on {found.reviewed_at:%Y-%m-%d %H:%M} UTC"
