"""Recorder: the one way in for what Spayon tells us."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from ..domain.handlers import failure_of
from ..domain.orders import attempt_id, is_id, without_mark
from ..domain.reports import Report
from ..domain.transitions import BARRING, UNKNOWN, Transition, decide, hold_back, readable_reason
from ..errors import HandlerError, NeedsReview
from .outbox import Outbox, Outcome
from .status import NEEDED, StatusWriter
from .transactions import LostRaceError, Part, Source, statement, transaction

logger = logging.getLogger(__name__)

#: The reason of a review whose cause is a handler that has failed so often, and for so long.
HANDLER_FAILED = "handler_failed"
MAX_FAILURES = 5
GIVE_UP_AFTER = timedelta(days=3)

#: What is written anew in the row of an unknown report, once its payment is known.
_ADOPTED = ("source", "verdict", "body", "secret_index", "dispatch_at")


class _Known(NamedTuple):
    """The callback row of a report that has come before."""

    id: int
    verdict: str


class Recorder(Part):
    """Record reports, once each, and let *status* and *outbox* do what follows from them."""

    def __init__(self, source: Source, status: StatusWriter, outbox: Outbox) -> None:
        super().__init__(source)
        self._status = status
        self._outbox = outbox

    def record(
        self, report: Report, *, source: str, now: datetime, secret_index: int | None = None
    ) -> Outcome:
        """Apply *report*: the one way in, for callbacks and status checks alike.

        Commits the callback row, the change of status and what the handlers write, or nothing.
        After the commit the dispatcher is called and the signals are sent. Raises `HandlerError`,
        `UncommittedChangesError`, or SQLAlchemy's errors.
        """
        row = {
            "account": self.account,
            "session_id": report.session_id,
            "status": report.status,
            "source": source,
            "body": report.body,
            "secret_index": secret_index,
            "received_at": now,
        }

        try:
            outcome = self._record(report, row, now)
        except NeedsReview as doubt:
            outcome = self._hold_back(report, row, now, readable_reason(doubt.reason))
        except HandlerError as error:
            if not self._gives_up(report, error, now):
                raise

            outcome = self._hold_back(report, row, now, HANDLER_FAILED)

        self._outbox.after_commit(report, source, outcome, now)
        return outcome

    def _hold_back(
        self, report: Report, row: Mapping[str, Any], now: datetime, reason: str
    ) -> Outcome:
        """Record *report*, and let a person look at its payment, for *reason*."""
        try:
            return self._record(report, row, now, held_back=reason)
        except HandlerError as error:
            if reason != HANDLER_FAILED and not self._gives_up(report, error, now):
                raise
        # A person must hear of the payment, whatever `on_review` does.
        return self._record(report, row, now, held_back=reason, run_handlers=False)

    @transaction
    def _record(
        self,
        connection: Connection,
        report: Report,
        row: Mapping[str, Any],
        now: datetime,
        *,
        held_back: str | None = None,
        run_handlers: bool = True,
    ) -> Outcome:
        known, found = self._look_up(connection, report)

        # A report that was unknown counts as soon as its payment is known.
        if known is not None and (known.verdict != UNKNOWN or found is None):
            return Outcome(known.verdict, repeated=True, callback_id=known.id)

        self.see_present(connection)
        transition = Transition(UNKNOWN) if found is None else decide(found, report)

        # No other payment of the order is paid if this one holds the order: see the unique key.
        if transition.status == "paid" and found.held_order_id is None:
            holder = self._status.holder(connection, found.order_id)
            is_paid = holder is not None and holder.status in BARRING
            transition = decide(found, report, order_is_paid=is_paid)

        if held_back is not None and transition.status not in (None, "review"):
            transition = hold_back(held_back)

        dispatch_at = self._outbox.dispatch_at(now) if transition.status is not None else None
        decided = {**row, "verdict": transition.verdict, "dispatch_at": dispatch_at}
        callback_id = self._claim(connection, known, decided)

        if transition.status is not None:
            self._status.write(
                connection, found, transition, now=now, report=report, run_handlers=run_handlers
            )

        return Outcome(
            transition.verdict,
            status=transition.status,
            callback_id=callback_id,
            payment_id=None if found is None else found.id,
        )

    def _look_up(self, connection: Connection, report: Report) -> tuple[_Known | None, Any]:
        """Return the callback row of *report* and the payment it is about, None for each."""
        key = {"the_session_id": report.session_id, "the_report": report.status, **self.mine}
        row = connection.execute(self._find_payment, key).first()

        if row is not None:
            is_new = row.callback_id is None
            return None if is_new else _Known(row.callback_id, row.callback_verdict), row

        told = connection.execute(self._find_callback, key).first()
        known = None if told is None else _Known(told.id, told.verdict)

        # A known report was decided upon; only an unknown one may find its payment now.
        if known is not None and known.verdict != UNKNOWN:
            return known, None

        return known, self._find_payment_without_answer(connection, report)

    @statement
    def _find_payment(self) -> Any:
        """The payment of a payment session, with the callback row of this very report."""
        p, c = self.payment.c, self.callback.c
        the_report = bindparam("the_report", type_=c.status.type)
        same = and_(c.account == p.account, c.session_id == p.session_id, c.status == the_report)
        return (
            select(
                *(p[name] for name in NEEDED),
                c.id.label("callback_id"),
                c.verdict.label("callback_verdict"),
            )
            .select_from(self.payment.outerjoin(self.callback, same))
            .where(self.is_mine, p.session_id == bindparam("the_session_id"))
        )

    @statement
    def _find_callback(self) -> Any:
        c = self.callback.c
        return select(c.id, c.verdict).where(
            c.account == bindparam("the_account"),
            c.session_id == bindparam("the_session_id"),
            c.status == bindparam("the_report"),
        )

    def _find_payment_without_answer(self, connection: Connection, report: Report) -> Any:
        """Return the payment whose answer from Spayon was lost, or None.

        Of several payments it is the one whose own attempt is named, or the one of the reported
        price, or the newest.
        """
        # Some texts are no order's id, and not every database takes them.
        if report.order_id is None or not is_id(report.order_id):
            return None

        p, told = self.payment.c, report.order_id
        unanswered = (
            p.account == self.account,
            p.order_id.in_([told, without_mark(told)]),
            p.session_id.is_(None),
        )
        query = select(*(p[name] for name in NEEDED)).where(*unanswered)

        def fits(row: Any) -> tuple[bool, bool, bool, int]:
            is_its_own = attempt_id(row.order_id, row.reference) == told
            return is_its_own, row.order_id == told, row.price == report.price, row.id

        found = max(connection.execute(query), key=fits, default=None)
        # An attempt that left no row was paid: a person must look. Its end means nothing.
        if found is not None and report.status != "paid" and not any(fits(found)[:2]):
            return None

        return found

    def _claim(self, connection: Connection, known: _Known | None, row: Mapping[str, Any]) -> int:
        """Write the callback row, which only one of all deliveries can, and return its id.

        Raises `LostRaceError` if another delivery was faster.
        """
        if known is not None:
            # What was unknown keeps its key and its time.
            c = self.callback.c
            adopt = update(self.callback).where(c.id == known.id, c.verdict == UNKNOWN)
            values = {name: row[name] for name in _ADOPTED}

            if connection.execute(adopt.values(values)).rowcount != 1:
                raise LostRaceError
            return known.id

        try:
            result: Any = connection.execute(self._insert, row)
        except IntegrityError as error:
            raise LostRaceError from error

        return int(result.inserted_primary_key[0])

    @statement
    def _insert(self) -> Any:
        return insert(self.callback)

    def _gives_up(self, report: Report, error: HandlerError, now: datetime) -> bool:
        """Keep that the handler has failed; return True if a person must look now.

        Until then Spayon delivers again, and `reconcile` asks.
        """
        failures, since = self._note_failure(report, failure_of(error), now)

        if report.status != "paid" or failures < MAX_FAILURES or now < since + GIVE_UP_AFTER:
            return False

        logger.error(
            "the handler has failed for days; the payment goes to review",
            extra={"account": self.account, "session_id": report.session_id},
            exc_info=error,
        )
        return True

    @transaction
    def _note_failure(
        self, connection: Connection, report: Report, failure: str, now: datetime
    ) -> tuple[int, datetime]:
        """Write down one more failure; return how many there are now, and since when."""
        _, found = self._look_up(connection, report)

        if found is None:
            return 0, now
        failures, since = found.handler_failures + 1, found.handler_failed_at or now
        p = self.payment.c
        values = {
            "handler_failures": failures,
            "handler_failed_at": since,
            "handler_error": failure,
            # Spayon delivers a callback three times. After that only a status check can tell of a
            # payment whose answer was lost, or that has ended.
            "session_id": report.session_id,
            "due_at": now if found.session_id is None else found.due_at or now,
        }
        failed = update(self.payment).where(p.id == found.id, p.status.not_in(BARRING))

        try:
            connection.execute(failed.values(values))
        except IntegrityError as error:
            raise LostRaceError from error

        return failures, since
