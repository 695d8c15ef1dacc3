"""Reviews: what a person decides, and the notes that people leave beside the rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from datetime import timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy import Connection
from sqlalchemy import bindparam
from sqlalchemy import func
from sqlalchemy import literal_column
from sqlalchemy import select
from sqlalchemy import update

from ..errors import NeedsReview
from ..errors import ReviewError
from ..models import PaymentMixin
from ..transitions import APPLIED
from ..transitions import BARRING
from ..transitions import REVIEW
from ..transitions import UNKNOWN
from ..transitions import Transition
from .outbox import Leased
from .outbox import Outbox
from .queries import Queries
from .status import NEEDED
from .status import StatusWriter
from .transactions import Part
from .transactions import Source
from .transactions import transaction


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

        self._outbox.announce_status("paid" if accept else "failed", payment_id)
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
        found = connection.execute(self._find, {"the_id": payment_id}).first()

        if found is None or found.status != "review":
            raise ReviewError(f"this payment is not under review, it is {_standing(found)}")

        if accept:
            self._check_order(connection, found)

        # First the callback rows, then the payment: the order in which a report locks them.
        again = self._lease_again(connection, found.session_id, now)
        person = {"reviewed_by": by, "reviewed_because": because, "reviewed_at": now}
        connection.execute(self._write_person, {"the_id": payment_id} | person)
        transition = Transition(APPLIED, "paid" if accept else "failed", found.review)
        self._status.write(connection, found, transition, now=now)
        return again

    @cached_property
    def _find(self) -> Any:
        p = self.payment.c
        return select(*(p[name] for name in (*NEEDED, "reviewed_by", "reviewed_at"))).where(
            p.id == bindparam("the_id"), self.is_mine
        )

    @cached_property
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

        key = {"the_session_id": session_id}
        rows = connection.execute(self._find_held_back, key).all()

        # A hand-over that ends late knows its lease by this moment, so it must be another one.
        while any(row.dispatch_at == until for row in rows):
            until += timedelta(milliseconds=1)

        connection.execute(self._dispatch_again, key | {"dispatch_at": until})
        return [Leased(row.id, until) for row in rows]

    @cached_property
    def _is_held_back(self) -> Any:
        c = self.callback.c
        return (
            c.account == bindparam("the_account", self.account),
            c.session_id == bindparam("the_session_id"),
            c.verdict == REVIEW,
        )

    @cached_property
    def _find_held_back(self) -> Any:
        return select(self.callback.c.id, self.callback.c.dispatch_at).where(*self._is_held_back)

    @cached_property
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
