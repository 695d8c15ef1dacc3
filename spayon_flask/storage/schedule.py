"""Schedule: who may ask Spayon about which payment, and when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, func, or_, select, update

from ..domain.transitions import APPLIED, ENDED, SESSION_LIFETIME, Transition
from .outbox import Outbox
from .status import NEEDED, StatusWriter
from .transactions import Part, Source, transaction

#: The first pause between two questions of reconcile about one payment; it doubles each time.
FIRST_PAUSE = timedelta(minutes=1)

LONGEST_PAUSE = timedelta(hours=6)


class Due(NamedTuple):
    """A payment to ask about; *session_id* is None if Spayon never answered its creation.

    *ends_at* is when its 15 minutes are over. *ended* is True if the payment has failed or expired,
    and is asked about for the last time.
    """

    payment_id: int
    session_id: str | None
    ends_at: datetime
    ended: bool = False


class Schedule(Part):
    """Lease work on payments, so that any number of askers share it.

    *interval* lies at least between two status calls for one payment, whoever makes them.
    """

    def __init__(
        self, source: Source, status: StatusWriter, outbox: Outbox, interval: timedelta
    ) -> None:
        super().__init__(source)
        self._status = status
        self._outbox = outbox
        self._interval = interval

    @transaction
    def claim_check(
        self, connection: Connection, payment_id: int, *, now: datetime, settled: bool = False
    ) -> bool:
        """Return True if the caller, and nobody else, may ask about a payment *now*.

        If it is paid or under review, only with *settled*.
        """
        p = self.payment.c
        conditions = [p.id == payment_id, p.account == self.account, *self._may_be_asked(now)]
        conditions += [] if settled else [self._is_open()]
        claim = update(self.payment).where(*conditions).values(checked_at=now)
        return connection.execute(claim).rowcount == 1

    @transaction
    def lease_due(
        self,
        connection: Connection,
        *,
        now: datetime,
        limit: int,
        due_by: datetime | None = None,
    ) -> Sequence[Due]:
        """Take at most *limit* payments that are due; the caller asks about them at once.

        Each is due again after a longer pause. *due_by* leaves out payments that became due later
        than that.
        """
        p = self.payment.c
        self.take_lock(connection)
        query = (
            select(p.id, p.session_id, p.status, p.expires_at, p.created_at, p.attempts)
            .where(*self._is_due(due_by or now, now))
            .order_by(p.due_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        rows = connection.execute(query).all()

        # One statement for all that were asked about equally often: most of a batch, as a rule.
        for attempts in {row.attempts for row in rows}:
            ids = [row.id for row in rows if row.attempts == attempts]
            due_at = now + pause(attempts)
            lease = update(self.payment).where(p.id.in_(ids))
            connection.execute(lease.values(checked_at=now, due_at=due_at, attempts=attempts + 1))

        return [
            Due(
                row.id,
                row.session_id,
                row.expires_at or row.created_at + SESSION_LIFETIME,
                ended=row.status in ENDED,
            )
            for row in rows
        ]

    def count_due(self, *, now: datetime) -> int:
        """Return how many payments are due to be asked about."""
        query = select(func.count()).where(*self._is_due(now, now))
        return int(self.connect().execute(query).scalar_one())

    def accounts_at_work(self, *, now: datetime) -> list[str]:
        """Return the accounts of vendors for whom something is due.

        There is a payment to ask about, or a callback row for the dispatcher. Whoever has waited
        for the longest comes first.
        """
        p, c = self.payment.c, self.callback.c
        vendors = f"{self.account}/"
        due = (
            select(p.account, func.min(p.due_at).label("since"))
            .where(p.account.startswith(vendors, autoescape=True), p.due_at <= now)
            .where(self._is_open(), *self._may_be_asked(now))
            .group_by(p.account)
        )
        waiting = (
            select(c.account, func.min(c.dispatch_at).label("since"))
            .where(self.waits_for_dispatcher(now), c.account.startswith(vendors, autoescape=True))
            .group_by(c.account)
        )
        rows = [*self.connect().execute(due), *self.connect().execute(waiting)]
        return [*dict.fromkeys(row.account for row in sorted(rows, key=lambda row: row.since))]

    @transaction
    def postpone(self, connection: Connection, payment_id: int, *, until: datetime | None) -> None:
        """Ask about a payment no earlier than *until*; None: no more."""
        mine = (self.payment.c.id == payment_id, self._is_open())
        connection.execute(update(self.payment).where(*mine).values(due_at=until))

    @transaction
    def postpone_due(self, connection: Connection, *, now: datetime, until: datetime) -> int:
        """Ask about every payment that is due *now* no earlier than *until*; return how many."""
        due = update(self.payment).where(*self._is_due(now, now))
        return connection.execute(due.values(due_at=until)).rowcount

    def expire_unanswered(self, payment_id: int, *, now: datetime) -> bool:
        """Expire a pending payment whose creation Spayon never answered.

        Returns True if the payment changed. Raises `HandlerError`.
        """
        changed = self._expire_unanswered(payment_id, now)

        if changed:
            self._outbox.tell_status("expired", payment_id)

        return changed

    @transaction
    def _expire_unanswered(self, connection: Connection, payment_id: int, now: datetime) -> bool:
        p = self.payment.c
        unanswered = (p.id == payment_id, p.session_id.is_(None), p.status == "pending")
        query = select(*(p[name] for name in NEEDED)).where(*unanswered)
        found = connection.execute(query).first()

        if found is None:
            return False

        self._status.write(connection, found, Transition(APPLIED, "expired"), now=now)
        return True

    def _is_due(self, by: datetime, now: datetime) -> Sequence[ColumnElement[bool]]:
        """The conditions of a payment of this account that was due *by* a moment, and still is."""
        p = self.payment.c
        return (
            p.account == self.account,
            p.due_at <= by,
            self._is_open(),
            *self._may_be_asked(now),
        )

    def _is_open(self) -> ColumnElement[bool]:
        # A payment that is paid or under review stays so, whatever Spayon would say.
        return self.payment.c.status.in_(("pending", *ENDED))

    def _may_be_asked(self, now: datetime) -> Sequence[ColumnElement[bool]]:
        """The conditions that it is this gateway's, and that nobody has asked just now.

        A host whose clock is ahead by more than the interval does not keep the others from asking.
        """
        p = self.payment.c
        is_quiet = or_(
            p.checked_at.is_(None),
            p.checked_at <= now - self._interval,
            p.checked_at > now + self._interval,
        )
        return (p.gateway == self.source.gateway, is_quiet)


def pause(attempts: int) -> timedelta:
    """Return how long to wait after the question number *attempts*, counted from 0."""
    doubled: timedelta = FIRST_PAUSE * 2 ** min(attempts, 20)
    return min(doubled, LONGEST_PAUSE)
