"""Failures: what becomes of a payment whose handler fails, again and again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from datetime import timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import Connection
from sqlalchemy import bindparam
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from ..errors import HandlerError
from ..reports import Report
from .transactions import LostRaceError
from .transactions import Part
from .transactions import Source
from .transactions import transaction


logger = logging.getLogger(__name__)

#: A payment whose handler has failed for so long, and so often, needs a person.
GIVE_UP_AFTER = timedelta(days=3)
GIVE_UP_ATTEMPTS = 5

#: Returns the callback row of a report and the payment it is about, None for each.
LookUp = Callable[[Connection, Report], tuple[Any, Any]]


class Failures(Part):
    """Let `reconcile` try again, and decide when a person must look. *look_up* finds payments."""

    def __init__(self, source: Source, look_up: LookUp) -> None:
        super().__init__(source)
        self._look_up = look_up

    def may_give_up(self, report: Report, error: HandlerError, now: datetime) -> bool:
        """Return True if the handler, which has failed with *error*, has failed for days.

        Until then `reconcile` tries again.
        """
        if not self._note(report, now):
            return False

        logger.error(
            "the handler has failed for days; the payment goes to review",
            extra={"account": self.account, "session_id": report.session_id},
            exc_info=error,
        )
        return True

    @transaction
    def _note(self, connection: Connection, report: Report, now: datetime) -> bool:
        """Have `reconcile` ask about the payment again; return True if it has failed for days."""
        _, found = self._look_up(connection, report)

        if found is None:
            return False

        if found.session_id is None:
            self._keep_session(connection, found.id, report.session_id, now)

        return (
            report.status == "paid"
            and found.created_at + GIVE_UP_AFTER <= now
            and found.attempts >= GIVE_UP_ATTEMPTS
        )

    def _keep_session(
        self, connection: Connection, payment_id: int, session_id: str, now: datetime
    ) -> None:
        """Keep the session id of a payment that had none, though its handler has failed.

        Spayon delivers a callback three times. After that only a status check can tell of the
        payment, and a status check needs the session id.
        """
        values = {"the_id": payment_id, "session_id": session_id, "due_at": now}

        try:
            connection.execute(self._write_session, values)

        except IntegrityError as error:
            raise LostRaceError from error

    @cached_property
    def _write_session(self) -> Any:
        p = self.payment.c
        return (
            update(self.payment)
            .where(p.id == bindparam("the_id"), p.session_id.is_(None))
            .values({name: bindparam(name) for name in ("session_id", "due_at")})
        )
