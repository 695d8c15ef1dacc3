"""Schedule: who may ask Spayon about which payment, and when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import inspect
from sqlalchemy.orm import Session

from ..models import PaymentMixin
from ..verdicts import ENDED
from .checkouts import SESSION_LIFETIME
from .transactions import with_retries
from .work_statements import WorkStatements


#: The first pause between two questions of reconcile about one payment; it doubles each time.
FIRST_PAUSE = timedelta(minutes=1)

LONGEST_PAUSE = timedelta(hours=6)


class Due(NamedTuple):
    """A payment to ask about; *session_id* is None where Spayon never answered its creation.

    *ended* says that it has failed or expired, and is asked about for the last time.
    """

    payment_id: int
    session_id: str | None
    ends_at: datetime
    ended: bool = False


class Schedule:
    """Lease work on the payments of *account*, so that any number of askers share it.

    *interval* lies at least between two status calls for one payment, whoever makes them.
    """

    def __init__(
        self,
        account: str,
        payment_class: type[PaymentMixin],
        statements: WorkStatements,
        interval: timedelta,
    ) -> None:
        self._account = account
        self._mapper = inspect(payment_class)
        self._statements = statements
        self._interval = interval

    def claim_check(self, session: Session, payment_id: int, *, now: datetime) -> bool:
        """Say whether the caller, and nobody else, may ask about a pending payment now."""

        def work() -> bool:
            connection = session.connection(bind_arguments={"mapper": self._mapper})
            result = connection.execute(
                self._statements.claim_check,
                {"the_id": payment_id, "checked_at": now, "quiet_since": now - self._interval},
            )
            session.commit()
            return bool(result.rowcount == 1)

        return with_retries(session, work)

    def lease_due(
        self, session: Session, *, now: datetime, limit: int, due_by: datetime | None = None
    ) -> Sequence[Due]:
        """Take at most *limit* payments that are due; each comes again after a longer pause.

        *due_by* leaves those out that became due later than that.
        """

        def work() -> Sequence[Due]:
            connection = session.connection(bind_arguments={"mapper": self._mapper})

            if connection.dialect.name == "sqlite":
                connection.execute(self._statements.lock_all)

            rows = connection.execute(
                self._statements.find_due,
                {
                    "the_account": self._account,
                    "the_now": due_by or now,
                    "quiet_since": now - self._interval,
                    "the_limit": limit,
                },
            ).all()

            # One statement for all that were asked about as often: most of a batch, as a rule.
            for attempts in {row.attempts for row in rows}:
                connection.execute(
                    self._statements.lease,
                    {
                        "the_ids": [row.id for row in rows if row.attempts == attempts],
                        "checked_at": now,
                        "due_at": now + pause(attempts),
                        "attempts": attempts + 1,
                    },
                )

            session.commit()
            return [
                Due(
                    row.id,
                    row.session_id,
                    row.expires_at or row.created_at + SESSION_LIFETIME,
                    ended=row.status in ENDED,
                )
                for row in rows
            ]

        return with_retries(session, work)

    def postpone(self, session: Session, payment_id: int, *, until: datetime) -> None:
        """Ask about a payment no earlier than *until*, as Spayon wished."""

        def work() -> None:
            connection = session.connection(bind_arguments={"mapper": self._mapper})
            connection.execute(self._statements.postpone, {"the_id": payment_id, "due_at": until})
            session.commit()

        with_retries(session, work)

    def close(self, session: Session, payment_id: int) -> None:
        """Ask no more about a payment that has ended."""

        def work() -> None:
            connection = session.connection(bind_arguments={"mapper": self._mapper})
            connection.execute(self._statements.close, {"the_id": payment_id})
            session.commit()

        with_retries(session, work)

    def count_due(self, session: Session, *, now: datetime) -> int:
        """Return how many payments are due."""
        connection = session.connection(bind_arguments={"mapper": self._mapper})
        key = {
            "the_account": self._account,
            "the_now": now,
            "quiet_since": now - self._interval,
        }
        return int(connection.execute(self._statements.count_due, key).scalar_one())


def pause(attempts: int) -> timedelta:
    """Return how long to wait after the question number *attempts*, counted from 0."""
    doubled: timedelta = FIRST_PAUSE * 2 ** min(attempts, 20)
    return min(doubled, LONGEST_PAUSE)
