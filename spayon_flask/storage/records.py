"""Records: the one way in for what Spayon tells us."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Connection
from sqlalchemy import CursorResult
from sqlalchemy import inspect
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ..handlers import Handlers
from ..models import PaymentMixin
from ..reports import Report
from ..verdicts import UNKNOWN
from ..verdicts import Decision
from ..verdicts import judge
from .changes import Changes
from .statements import Statements
from .transactions import LostRaceError
from .transactions import with_retries


#: How long a hand-over to the dispatcher may take before reconcile does it again.
DISPATCH_LEASE = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Outcome:
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
        payment_class: type[PaymentMixin],
        statements: Statements,
        handlers: Handlers,
        changes: Changes,
    ) -> None:
        self._account = account
        self._mapper = inspect(payment_class)
        self._statements = statements
        self._handlers = handlers
        self._changes = changes

    def record(
        self,
        session: Session,
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
        }
        return with_retries(session, lambda: self._record(session, report, row, now))

    def _record(
        self, session: Session, report: Report, row: dict[str, Any], now: datetime
    ) -> Outcome:
        connection = session.connection(bind_arguments={"mapper": self._mapper})
        found, known_id, known_verdict = self._find(connection, report)

        if known_id is not None and (known_verdict != UNKNOWN or found is None):
            return Outcome(verdict=known_verdict, repeated=True, callback_id=known_id)

        decision = Decision(UNKNOWN)

        if found is not None:
            decision = judge(SimpleNamespace(**found), report)

            if decision.status == "paid" and self._order_is_paid(connection, found):
                decision = judge(SimpleNamespace(**found), report, order_is_paid=True)

        row |= {"verdict": decision.verdict, "dispatch_at": self._dispatch_at(decision, now)}
        callback_id = self._claim(connection, row, known_id)

        if found is not None and decision.status is not None:
            self._changes.write(session, found, decision, report, now)

        session.commit()
        return Outcome(
            verdict=decision.verdict,
            status=decision.status,
            callback_id=callback_id,
            payment_id=None if found is None else found["id"],
        )

    def _find(
        self, connection: Connection, report: Report
    ) -> tuple[dict[str, Any] | None, int | None, str]:
        """Return the payment of *report*, and the callback row of the same report, if any."""
        row = connection.execute(
            self._statements.find_report,
            {"the_session_id": report.session_id, "the_status": report.status},
        ).one()
        known_id, known_verdict = row.callback_id, row.callback_verdict

        # Another vendor account's payment session is unknown to this one.
        if row.id is not None and row.account != self._account:
            return None, known_id, known_verdict

        if row.id is not None:
            return dict(row._mapping), known_id, known_verdict  # noqa: SLF001  public, despite its name

        if (known_id is not None and known_verdict != UNKNOWN) or report.order_id is None:
            return None, known_id, known_verdict

        # The payment whose answer was lost: the one that asked for this price, else the newest.
        key = {"the_account": self._account, "the_order_id": report.order_id}
        rows = sorted(
            connection.execute(self._statements.find_unanswered, key),
            key=lambda each: bool(each.price == report.price),
            reverse=True,
        )
        return dict(rows[0]._mapping) if rows else None, known_id, known_verdict  # noqa: SLF001

    def _order_is_paid(self, connection: Connection, found: Mapping[str, Any]) -> bool:
        # The one that holds the order is paid by nobody else: the unique key sees to that.
        if found["held_order_id"] is not None:
            return False

        key = {"the_account": self._account, "the_order_id": found["order_id"]}
        holder = connection.execute(self._statements.find_holder, key).first()
        return holder is not None and holder.status != "pending"

    def _claim(self, connection: Connection, row: dict[str, Any], known_id: int | None) -> int:
        """Insert the callback row, which of all deliveries only one can; return its id."""
        if known_id is not None:
            values = {name: value for name, value in row.items() if name not in _KEPT}
            result = connection.execute(
                self._statements.adopt_callback, values | {"the_id": known_id}
            )

            if result.rowcount != 1:
                raise LostRaceError

            return known_id

        try:
            result = connection.execute(self._statements.insert_callback, row)

        except IntegrityError as error:
            raise LostRaceError from error

        return _new_id(result)

    def _dispatch_at(self, decision: Decision, now: datetime) -> datetime | None:
        wanted = self._handlers.dispatcher is not None and decision.status is not None
        return now + DISPATCH_LEASE if wanted else None


def _new_id(result: CursorResult[Any]) -> int:
    key = result.inserted_primary_key
    return int(key[0]) if key is not None else 0


#: What an unknown report keeps once its payment is known.
_KEPT = ("session_id", "status", "received_at")
