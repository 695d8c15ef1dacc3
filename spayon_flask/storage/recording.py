"""Recorder: the one way in for what Spayon tells us."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Any
from typing import NamedTuple

from sqlalchemy import Connection
from sqlalchemy import and_
from sqlalchemy import bindparam
from sqlalchemy import insert
from sqlalchemy import literal_column
from sqlalchemy import select
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from ..errors import HandlerError
from ..errors import NeedsReview
from ..orders import attempt_id
from ..orders import is_id
from ..orders import without_mark
from ..reports import Report
from ..transitions import BARRING
from ..transitions import UNKNOWN
from ..transitions import Transition
from ..transitions import decide
from ..transitions import hold_back
from ..transitions import readable_reason
from .failures import Failures
from .outbox import Outbox
from .status import NEEDED
from .status import StatusWriter
from .transactions import LostRaceError
from .transactions import Part
from .transactions import Source
from .transactions import transaction


logger = logging.getLogger(__name__)

#: Why a payment is under review whose handler has failed for days.
_FAILED = "handler_failed"

#: What is written anew in the row of an unknown report, once its payment is known.
_ADOPTED = ("account", "source", "verdict", "body", "secret_index", "dispatch_at")


class Outcome(NamedTuple):
    """What became of a report: its *verdict*, and the payment's new *status*, if it changed.

    *repeated* is True if the report was known already. *callback_id* and *payment_id* name the
    rows.
    """

    verdict: str
    repeated: bool = False
    status: str | None = None
    callback_id: int | None = None
    payment_id: int | None = None


class Recorder(Part):
    """Record reports, once each, and let *status* and *outbox* do what follows from them."""

    def __init__(self, source: Source, status: StatusWriter, outbox: Outbox) -> None:
        super().__init__(source)
        self._status = status
        self._outbox = outbox
        self._failures = Failures(source, self._look_up)

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
        outcome = self._record_or_hold_back(report, row, now)
        logger.info(
            "report recorded",
            extra={
                "account": self.account,
                "session_id": report.session_id,
                "status": report.status,
                "source": source,
                "verdict": outcome.verdict,
                "repeated": outcome.repeated,
            },
        )
        self._outbox.announce(report, source, outcome, now)
        return outcome

    def _record_or_hold_back(
        self, report: Report, row: Mapping[str, Any], now: datetime
    ) -> Outcome:
        """Record *report*. If a handler cannot do its work, the payment goes to review."""
        try:
            return self._record(report, row, now)

        except NeedsReview as doubt:
            reason = readable_reason(doubt.reason)

        except HandlerError as error:
            if not self._failures.may_give_up(report, error, now):
                raise

            reason = _FAILED

        try:
            return self._record(report, row, now, held_back=reason)

        except NeedsReview:
            logger.warning("on_review asks for a review, which there is already")

        except HandlerError as error:
            if reason != _FAILED and not self._failures.may_give_up(report, error, now):
                raise

        # A person must hear of the payment, whatever the handler for that does.
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

    def _look_up(self, connection: Connection, report: Report) -> tuple[Any, Any]:
        """Return the callback row of *report* and the payment it is about, None for each."""
        key = {"the_session_id": report.session_id, "the_status": report.status}
        row = connection.execute(self._find_report, key).one()
        known = None if row.callback_id is None else _Known(row.callback_id, row.callback_verdict)

        if row.id is None:
            # A known report was decided upon; only an unknown one may find its payment now.
            is_new = known is None or known.verdict == UNKNOWN
            return known, self._find_payment_without_answer(connection, report) if is_new else None

        # The payment session of another vendor account is unknown to this one.
        return known, row if row.account == self.account else None

    @cached_property
    def _find_report(self) -> Any:
        """One row: the payment of a payment session, and the callback row of this very report."""
        p, c = self.payment.c, self.callback.c
        anchor = select(literal_column("1").label("one")).subquery("anchor")
        session_id = bindparam("the_session_id", type_=c.session_id.type)
        # Always true. SQLAlchemy's linter asks for a condition that joins the two tables.
        near_p, near_c = p.id >= anchor.c.one, c.id >= anchor.c.one
        report = and_(
            c.session_id == session_id,
            c.status == bindparam("the_status", type_=c.status.type),
            near_c,
        )
        return select(
            *(p[name] for name in NEEDED),
            c.id.label("callback_id"),
            c.verdict.label("callback_verdict"),
        ).select_from(
            anchor.outerjoin(self.payment, and_(p.session_id == session_id, near_p)).outerjoin(
                self.callback, report
            )
        )

    def _find_payment_without_answer(self, connection: Connection, report: Report) -> Any:
        """Return the payment whose answer from Spayon was lost, or None.

        Of several payments it is the one whose own attempt is named, or the one of the reported
        price, or the newest.
        """
        # Some texts are no order's id, and not every database takes them.
        if report.order_id is None or not is_id(report.order_id):
            return None

        told = report.order_id
        key = {"the_order_ids": [told, without_mark(told)]}

        def fits(row: Any) -> tuple[bool, bool, bool, int]:
            is_its_own = attempt_id(row.order_id, row.reference) == told
            return is_its_own, row.order_id == told, row.price == report.price, row.id

        found = max(connection.execute(self._find_unanswered, key), key=fits, default=None)

        # An attempt that left no row was paid: a person must look. Its end means nothing.
        if found is not None and report.status != "paid" and not any(fits(found)[:2]):
            return None

        return found

    @cached_property
    def _find_unanswered(self) -> Any:
        p = self.payment.c
        return select(*(p[name] for name in NEEDED)).where(
            p.order_id.in_(bindparam("the_order_ids", expanding=True)),
            self.is_mine,
            p.session_id.is_(None),
        )

    def _claim(self, connection: Connection, known: Any, row: Mapping[str, Any]) -> int:
        """Write the callback row, which only one of all deliveries can, and return its id.

        Raises `LostRaceError` if another delivery was faster.
        """
        if known is not None:
            values = {name: row[name] for name in _ADOPTED} | {"the_id": known.id}

            if connection.execute(self._adopt, values).rowcount != 1:
                raise LostRaceError

            return int(known.id)

        try:
            result: Any = connection.execute(self._insert, row)

        except IntegrityError as error:
            raise LostRaceError from error

        return int(result.inserted_primary_key[0])

    @cached_property
    def _insert(self) -> Any:
        return insert(self.callback)

    @cached_property
    def _adopt(self) -> Any:
        """Decide anew on a report that was unknown; what it was keeps its key and its time."""
        c = self.callback.c
        return (
            update(self.callback)
            .where(c.id == bindparam("the_id"), c.verdict == UNKNOWN)
            .values({name: bindparam(name) for name in _ADOPTED})
        )


class _Known(NamedTuple):
    id: int
    verdict: str
