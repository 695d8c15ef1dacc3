"""Endings: payments that end without a report of Spayon."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import inspect
from sqlalchemy.orm import Session

from ..models import PaymentMixin
from ..verdicts import APPLIED
from ..verdicts import Decision
from .changes import Changes
from .statements import NEEDED
from .transactions import with_retries


class Endings:
    """End payments by the clock."""

    def __init__(self, payment_class: type[PaymentMixin], changes: Changes) -> None:
        self._payment_class = payment_class
        self._mapper = inspect(payment_class)
        self._changes = changes

    def expire_unanswered(self, session: Session, payment_id: int, *, now: datetime) -> bool:
        """Expire a pending payment whose creation Spayon never answered; say whether it changed."""

        def work() -> bool:
            payment = session.get(self._payment_class, payment_id)

            if payment is None or payment.session_id is not None or payment.status != "pending":
                return False

            found = {name: getattr(payment, name) for name in NEEDED}
            connection = session.connection(bind_arguments={"mapper": self._mapper})
            decision = Decision(APPLIED, "expired")
            self._changes.write(lambda: session, connection, found, decision, None, now)
            session.commit()
            return True

        return with_retries(session, work)
