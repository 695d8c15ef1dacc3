"""Announcements: who hears of a change once it is committed; nothing here can undo it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from collections.abc import Iterable

from sqlalchemy.exc import SQLAlchemyError

from .. import signals
from ..models import PaymentMixin
from ..reports import Report
from .hand_over import HandOver
from .records import Outcome
from .sessions import Sessions


logger = logging.getLogger(__name__)

_SIGNALS = {
    "paid": signals.payment_paid,
    "failed": signals.payment_failed,
    "expired": signals.payment_expired,
    "review": signals.payment_review,
}


class Announcements:
    """Tell the dispatcher and the observers of *account*; *get* returns a payment by its id."""

    def __init__(
        self,
        account: str,
        sessions: Sessions,
        hand_over: HandOver,
        get: Callable[[int], PaymentMixin],
    ) -> None:
        self._account = account
        self._sessions = sessions
        self._hand_over = hand_over
        self._get = get

    def report(self, report: Report, source: str, outcome: Outcome) -> None:
        """Tell of a report that was recorded, and of what it changed."""
        changed = outcome.status is not None and outcome.payment_id is not None

        if changed and outcome.callback_id is not None:
            self.hand_over(outcome.callback_id)

        signals.announce(
            signals.report_received,
            self._account,
            source=source,
            status=report.status,
            verdict=outcome.verdict,
            repeated=outcome.repeated,
        )

        if changed:
            self.change(outcome.status or "", outcome.payment_id or 0)

    def review(self, payment_id: int, again: Iterable[int], *, accepted: bool) -> None:
        """Tell that a payment is out of review, and hand the rows *again* over once more."""
        for callback_id in again:
            self.hand_over(callback_id)

        self.change("paid" if accepted else "failed", payment_id)

    def change(self, status: str, payment_id: int) -> None:
        """Tell that a payment has a new status."""
        signal = _SIGNALS[status]

        if signal.receivers:
            signals.announce(signal, self._account, payment=self._get(payment_id))

    def hand_over(self, callback_id: int) -> None:
        """Give the dispatcher a callback row."""
        try:
            self._hand_over.hand_over(self._sessions.get(), callback_id)

        except SQLAlchemyError:
            logger.exception(
                "hand-over was not noted; reconcile will do it again",
                extra={"account": self._account, "callback_id": callback_id},
            )
