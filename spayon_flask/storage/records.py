"""Records: the one way in for what Spayon tells us."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from typing import NamedTuple

from sqlalchemy import Connection
from sqlalchemy import inspect

from ..handlers import Handlers
from ..models import PaymentMixin
from ..reports import Report
from ..verdicts import APPLIED
from ..verdicts import UNKNOWN
from ..verdicts import Decision
from ..verdicts import judge
from .arrivals import Arrivals
from .changes import Changes
from .changes import ending
from .own_transaction import OwnTransaction
from .sessions import Sessions
from .statements import Statements
from .transactions import with_retries_in


#: How long a hand-over to the dispatcher may take before reconcile does it again.
DISPATCH_LEASE = timedelta(minutes=1)


class Outcome(NamedTuple):
    """What became of a report: its *verdict*, and the payment's new *status*, if it changed.

    *repeated* says that it was known already; *callback_id* and *payment_id* name the rows.
    """

    verdict: str
    repeated: bool = False
    status: str | None = None
    callback_id: int | None = None
    payment_id: int | None = None


class Records:
    """Record reports for one *account*, and run the shop's *handlers* for what they change."""

    def __init__(
        self,
        account: str,
        sessions: Sessions,
        payment_class: type[PaymentMixin],
        statements: Statements,
        handlers: Handlers,
        changes: Changes,
        arrivals: Arrivals,
    ) -> None:
        self._account = account
        self._sessions = sessions
        self._mapper = inspect(payment_class)
        self._statements = statements
        self._handlers = handlers
        self._changes = changes
        self._arrivals = arrivals

    def record(
        self,
        report: Report,
        *,
        source: str,
        now: datetime,
        secret_index: int | None = None,
    ) -> Outcome:
        """Commit *report*, the change of status and what the shop's handlers write, or nothing.

        Raises `HandlerError`, `UncommittedChangesError`, or SQLAlchemy's errors.
        """
        row = {
            "account": self._account,
            "session_id": report.session_id,
            "status": report.status,
            "source": source,
            "body": report.body,
            "secret_index": secret_index,
            "received_at": now,
            # What most reports come to; the decision sets it right where it is another.
            "verdict": APPLIED,
            "dispatch_at": self._dispatch_at(now),
        }
        return with_retries_in(self._sessions.current, lambda: self._record(report, row, now))

    def _record(self, report: Report, row: dict[str, Any], now: datetime) -> Outcome:
        with closing(OwnTransaction(self._sessions, self._mapper)) as transaction:
            return self._record_within(transaction, report, row, now)

    def _record_within(
        self,
        transaction: OwnTransaction,
        report: Report,
        row: dict[str, Any],
        now: datetime,
    ) -> Outcome:
        connection = transaction.connection
        arrival = self._arrivals.look_up(connection, report, row, ending(report, now))
        found = arrival.found

        if arrival.repeated:
            # Nothing was written, but psycopg forgets its prepared statements at a rollback.
            transaction.commit()
            return Outcome(
                verdict=arrival.known_verdict, repeated=True, callback_id=arrival.known_id
            )

        decision = Decision(UNKNOWN)

        if found is not None:
            decision = judge(SimpleNamespace(**found), report)

            if decision.status == "paid" and self._order_is_paid(connection, found):
                decision = judge(SimpleNamespace(**found), report, order_is_paid=True)

        changes = decision.status is not None
        settled = {
            "verdict": decision.verdict,
            "dispatch_at": self._dispatch_at(now) if changes else None,
        }
        callback_id = self._arrivals.keep(connection, arrival, row | settled)

        if found is not None and decision.status is not None:
            written = report.status if arrival.written else None
            self._changes.write(transaction.join, connection, found, decision, report, now, written)

        elif arrival.written:
            raise AssertionError("a status was written that nobody had decided upon")

        transaction.commit()
        return Outcome(
            verdict=decision.verdict,
            status=decision.status,
            callback_id=callback_id,
            payment_id=None if found is None else found["id"],
        )

    def _order_is_paid(self, connection: Connection, found: Mapping[str, Any]) -> bool:
        # The one that holds the order is paid by nobody else: the unique key sees to that.
        if found["held_order_id"] is not None:
            return False

        key = {"the_account": self._account, "the_order_id": found["order_id"]}
        holder = connection.execute(self._statements.find_holder, key).first()
        return holder is not None and holder.status != "pending"

    def _dispatch_at(self, now: datetime) -> datetime | None:
        return now + DISPATCH_LEASE if self._handlers.dispatcher is not None else None
