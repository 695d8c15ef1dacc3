"""Schedule: who may ask Spayon about which payment, and when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Integer, bindparam, func, or_, select, update

from ..domain.transitions import APPLIED, ENDED, SESSION_LIFETIME, Transition
from .outbox import Outbox
from .status import NEEDED, StatusWriter
from .transactions import Part, Source, statement, transaction

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
        key = {"the_id": payment_id, "checked_at": now, **self._quiet(now)}
        claim = self._claim_any_check if settled else self._claim_check
        return bool(connection.execute(claim, key).rowcount == 1)

    @statement
    def _claim_check(self) -> Any:
        return self._claim_any_check.where(self._is_open)

    @statement
    def _claim_any_check(self) -> Any:
        p = self.payment.c
        return (
            update(self.payment)
            .where(p.id == bindparam("the_id"), self.is_present, self._is_quiet)
            .values(checked_at=bindparam("checked_at"))
        )

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
        # SQLite has no row locks. A write, even of nothing, takes the lock of the database.
        if connection.dialect.name == "sqlite":
            connection.execute(self.take_lock)

        rows = connection.execute(
            self._find_due,
            {"the_limit": limit, "the_now": due_by or now, **self._quiet(now)},
        ).all()

        # One statement for all that were asked about equally often: most of a batch, as a rule.
        for attempts in {row.attempts for row in rows}:
            connection.execute(
                self._write_lease,
                {
                    "the_ids": [row.id for row in rows if row.attempts == attempts],
                    "checked_at": now,
                    "due_at": now + pause(attempts),
                    "attempts": attempts + 1,
                },
            )

        return [
            Due(
                row.id,
                row.session_id,
                row.expires_at or row.created_at + SESSION_LIFETIME,
                ended=row.status in ENDED,
            )
            for row in rows
        ]

    @statement
    def _find_due(self) -> Any:
        p = self.payment.c
        limit: Any = bindparam("the_limit", type_=Integer())
        return (
            select(p.id, p.session_id, p.status, p.expires_at, p.created_at, p.attempts)
            .where(*self._is_due)
            .order_by(p.due_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )

    @statement
    def _write_lease(self) -> Any:
        p = self.payment.c
        return (
            update(self.payment)
            .where(p.id.in_(bindparam("the_ids", expanding=True)))
            .values({name: bindparam(name) for name in ("checked_at", "due_at", "attempts")})
        )

    def count_due(self, *, now: datetime) -> int:
        """Return how many payments are due to be asked about."""
        key = {"the_now": now, **self._quiet(now)}
        return int(self.connect().execute(self._count_due, key).scalar_one())

    @statement
    def _count_due(self) -> Any:
        return select(func.count()).where(*self._is_due)

    def accounts_at_work(self, *, now: datetime) -> list[str]:
        """Return the accounts of vendors for whom something is due.

        There is a payment to ask about, or a callback row for the dispatcher. Whoever has waited
        for the longest comes first.
        """
        p, c = self.payment.c, self.callback.c
        vendors = f"{self.account}/"
        due = (
            select(p.account, func.min(p.due_at).label("since"))
            .where(p.due_at <= now, p.account.startswith(vendors, autoescape=True))
            .where(p.gateway == self.source.gateway, self._is_open, self._is_quiet)
            .group_by(p.account)
        )
        waiting = (
            select(c.account, func.min(c.dispatch_at).label("since"))
            .where(self.waits_for_dispatcher(now), c.account.startswith(vendors, autoescape=True))
            .group_by(c.account)
        )
        rows = [*self.connect().execute(due, self._quiet(now)), *self.connect().execute(waiting)]
        return [*dict.fromkeys(row.account for row in sorted(rows, key=lambda row: row.since))]

    @transaction
    def postpone(self, connection: Connection, payment_id: int, *, until: datetime) -> None:
        """Ask about a payment no earlier than *until*."""
        connection.execute(self._postpone, {"the_id": payment_id, "due_at": until})

    @statement
    def _postpone(self) -> Any:
        p = self.payment.c
        return (
            update(self.payment)
            .where(p.id == bindparam("the_id"), self._is_open)
            .values(due_at=bindparam("due_at"))
        )

    @transaction
    def postpone_due(self, connection: Connection, *, now: datetime, until: datetime) -> int:
        """Ask about every payment that is due *now* no earlier than *until*; return how many."""
        key = {"due_at": until, "the_now": now, **self._quiet(now)}
        return connection.execute(self._postpone_due, key).rowcount

    @statement
    def _postpone_due(self) -> Any:
        return update(self.payment).where(*self._is_due).values(due_at=bindparam("due_at"))

    @transaction
    def close(self, connection: Connection, payment_id: int) -> None:
        """Ask no more about a payment that has failed or expired."""
        connection.execute(self._close, {"the_id": payment_id})

    @statement
    def _close(self) -> Any:
        p = self.payment.c
        has_ended = or_(*(p.status == status for status in ENDED))
        return (
            update(self.payment).where(p.id == bindparam("the_id"), has_ended).values(due_at=None)
        )

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
        found = connection.execute(self._find_unanswered, {"the_id": payment_id}).first()

        if found is None:
            return False

        self._status.write(connection, found, Transition(APPLIED, "expired"), now=now)
        return True

    @statement
    def _find_unanswered(self) -> Any:
        p = self.payment.c
        return select(*(p[name] for name in NEEDED)).where(
            p.id == bindparam("the_id"), p.session_id.is_(None), p.status == "pending"
        )

    def _quiet(self, now: datetime) -> dict[str, Any]:
        """Return the parameters of the condition below, and the account."""
        quiet = {"quiet_since": now - self._interval, "quiet_from": now + self._interval}
        return quiet | self.mine

    @statement
    def _is_quiet(self) -> Any:
        """The condition that nobody has asked just now.

        A host whose clock is ahead by more than the interval does not keep the others from asking.
        """
        p = self.payment.c
        return or_(
            p.checked_at.is_(None),
            p.checked_at <= bindparam("quiet_since"),
            p.checked_at > bindparam("quiet_from"),
        )

    @statement
    def _is_open(self) -> Any:
        # A payment that is paid or under review stays so, whatever Spayon would say.
        p = self.payment.c
        return or_(*(p.status == status for status in ("pending", *ENDED)))

    @statement
    def _is_due(self) -> Any:
        p = self.payment.c
        return (p.due_at <= bindparam("the_now"), self.is_present, self._is_open, self._is_quiet)


def pause(attempts: int) -> timedelta:
    """Return how long to wait after the question number *attempts*, counted from 0."""
    doubled: timedelta = FIRST_PAUSE * 2 ** min(attempts, 20)
    return min(doubled, LONGEST_PAUSE)
