"""Records: the one way in for what Spayon tells us, and the only writer of a status."""

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
from sqlalchemy.orm import make_transient_to_detached
from sqlalchemy.orm.attributes import set_committed_value

from ..handlers import Handlers
from ..models import PaymentMixin
from ..reports import Report
from ..verdicts import APPLIED
from ..verdicts import UNKNOWN
from ..verdicts import Decision
from ..verdicts import judge
from .statements import NEEDED
from .statements import Statements
from .transactions import LostRaceError
from .transactions import handlers_only
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
    ) -> None:
        self._account = account
        self._payment_class = payment_class
        self._mapper = inspect(payment_class)
        self._statements = statements
        self._handlers = handlers

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

    def expire_unanswered(self, session: Session, payment_id: int, *, now: datetime) -> bool:
        """Expire a pending payment whose creation Spayon never answered; say whether it changed."""

        def work() -> bool:
            payment = session.get(self._payment_class, payment_id)

            if payment is None or payment.session_id is not None or payment.status != "pending":
                return False

            found = {name: getattr(payment, name) for name in NEEDED}
            self._change(session, found, Decision(APPLIED, "expired"), None, now)
            session.commit()
            return True

        return with_retries(session, work)

    def settle_review(
        self,
        session: Session,
        payment_id: int,
        *,
        status: str,
        by: str,
        because: str,
        now: datetime,
    ) -> None:
        """Move a payment out of review to *status*, `paid` or `failed`, running the handler once.

        Raises `LostRaceError` where it is not under review any more, and `IntegrityError` where
        another payment of the order is paid.
        """

        def work() -> None:
            payment = session.get(self._payment_class, payment_id)

            if payment is None or payment.status != "review":
                raise LostRaceError

            found = {name: getattr(payment, name) for name in NEEDED}
            payment.reviewed_by, payment.reviewed_because, payment.reviewed_at = by, because, now
            session.flush()
            self._change(session, found, Decision(APPLIED, status, found["review"]), None, now)
            session.commit()

        with_retries(session, work)

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
            self._change(session, found, decision, report, now)

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
            {
                "the_account": self._account,
                "the_session_id": report.session_id,
                "the_status": report.status,
            },
        ).one()
        known_id, known_verdict = row.callback_id, row.callback_verdict

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

    def _change(
        self,
        session: Session,
        found: dict[str, Any],
        decision: Decision,
        report: Report | None,
        now: datetime,
    ) -> None:
        """Write the status and run the handlers of it."""
        connection = session.connection(bind_arguments={"mapper": self._mapper})
        key = {"the_account": self._account, "the_order_id": found["order_id"]}
        values = {
            "session_id": found["session_id"],
            "status": decision.status,
            "review": decision.review,
            "price": found["price"],
            "currency": found["currency"],
            "decline_reasons": None,
            "held_order_id": None,
            "updated_at": now,
        }

        if report is not None:
            values["session_id"] = report.session_id
            values["decline_reasons"] = list(report.decline_reasons) or None

        if decision.status == "review":
            values["held_order_id"] = found["held_order_id"]

        if decision.status == "paid":
            values["held_order_id"] = found["order_id"]

            if found["product_id"] is not None and report is not None:
                values["price"], values["currency"] = report.price, report.currency

            if found["held_order_id"] is None:
                connection.execute(self._statements.displace, key)

        guard = {
            "the_id": found["id"],
            "the_status": found["status"],
            "the_superseded": found["superseded"],
        }

        try:
            result = connection.execute(self._statements.write_status, values | guard)

        except IntegrityError as error:
            raise LostRaceError from error

        if result.rowcount != 1:
            raise LostRaceError

        self._run_handlers(session, found["id"], {**found, **values})

    def _run_handlers(self, session: Session, payment_id: int, values: dict[str, Any]) -> None:
        handlers = self._handlers.by_status[values["status"]]

        if not handlers:
            return

        payment = self._load(session, payment_id, values)

        with handlers_only(session):
            for handler in handlers:
                handler(payment)

    def _load(self, session: Session, payment_id: int, values: dict[str, Any]) -> PaymentMixin:
        """Return the payment as an object of *session*, without asking the database for it."""
        key = self._mapper.identity_key_from_primary_key((payment_id,))
        payment = session.identity_map.get(key)
        names = self._mapper.column_attrs.keys()

        if payment is not None:
            session.expire(payment)

        else:
            payment = self._mapper.class_manager.new_instance()

        for name in names:
            if name in values:
                set_committed_value(payment, name, values[name])

        if payment not in session:
            make_transient_to_detached(payment)
            session.add(payment)

        return payment  # type: ignore[no-any-return]  # an identity map holds Any

    def _dispatch_at(self, decision: Decision, now: datetime) -> datetime | None:
        wanted = self._handlers.dispatcher is not None and decision.status is not None
        return now + DISPATCH_LEASE if wanted else None


def _new_id(result: CursorResult[Any]) -> int:
    key = result.inserted_primary_key
    return int(key[0]) if key is not None else 0


#: What an unknown report keeps once its payment is known.
_KEPT = ("session_id", "status", "received_at")
