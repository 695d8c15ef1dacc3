"""Reconciler: ask Spayon about one payment, or about all that are due, and record the answers."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import NamedTuple

from ..client import Client
from ..errors import SessionNotFoundError
from ..models import PaymentMixin
from ..reports import Report
from ..storage import Storage
from ..storage.checkouts import SESSION_LIFETIME
from ..transitions import BARRING
from ..transitions import ENDED
from .summary import Beat
from .summary import Heartbeat
from .summary import Step
from .summary import Summary


logger = logging.getLogger(__name__)

#: Status calls under way at once, if the caller names no other number.
JOBS = 4

#: Callback rows that are leased at once for the dispatcher.
_HAND_OVER_BATCH = 100

Context = Callable[[], AbstractContextManager[object]]


class Answer(NamedTuple):
    """Whether Spayon was *asked*, and the *status* that it named.

    It is not asked if somebody has asked just now, or if there is no payment session. The status is
    None if Spayon does not know the payment session.
    """

    asked: bool
    status: str | None = None


class Reconciler:
    """Ask about payments through *client*, with the times of *clock*.

    *context* makes what the storage and the shop's handlers need around them in another thread.
    *heartbeat* is told of each run that came to its end.
    """

    def __init__(
        self,
        client: Client,
        storage: Storage,
        clock: Callable[[], datetime],
        context: Context,
        heartbeat: Heartbeat,
    ) -> None:
        self._client = client
        self._storage = storage
        self._clock = clock
        self._context = context
        self._heartbeat = heartbeat

    def refresh(self, payment_id: int, *, ended: bool = False) -> PaymentMixin:
        """Return the payment, asked about if it is pending and nobody has asked just now.

        With *ended*, also if it has failed or expired. Raises a `GatewayError` if Spayon gives no
        usable answer.
        """
        payment = self._storage.queries.get(payment_id)

        if payment.status != "pending" and not (ended and payment.status in ENDED):
            return payment

        if payment.session_id is None:
            # There is nothing to ask about; `reconcile` expires the payment in its time.
            return payment

        self._ask_and_record(payment, ended=ended)
        return self._storage.queries.get(payment_id)

    def look(self, payment_id: int) -> bool:
        """Ask about a payment that is not paid; return True if Spayon has told its status just now.

        False if there is nothing to ask about, if somebody has asked just now, or if Spayon knows
        no such session. Raises a `GatewayError` if Spayon gives no usable answer.
        """
        payment = self._storage.queries.get(payment_id)

        if payment.session_id is None or payment.status in BARRING:
            return False

        return self._ask_and_record(payment, ended=True).status is not None

    def ask_now(self, payment_id: int) -> Answer:
        """Ask about a payment of any status, for a person who wants to know what Spayon says.

        Raises a `GatewayError` if Spayon gives no usable answer.
        """
        payment = self._storage.queries.get(payment_id)
        return self._ask_and_record(payment, ended=True) if payment.session_id else Answer(False)

    def _ask_and_record(self, payment: PaymentMixin, *, ended: bool) -> Answer:
        now = self._clock()
        payment_id, session_id = payment.id, str(payment.session_id)
        ends_at = payment.expires_at or payment.created_at + SESSION_LIFETIME

        if not self._storage.schedule.claim_check(payment_id, now=now, ended=ended):
            return Answer(False)

        report = self._ask(session_id, ends_at, now)

        if report is None:
            return Answer(True)

        self._storage.recorder.record(report, source="status_check", now=now)

        # What we conclude from a 404 has no body.
        return Answer(True, report.status if report.body else None)

    def run(
        self,
        *,
        limit: int | None,
        jobs: int,
        progress: Callable[[Step], object] | None,
        stop: threading.Event | None,
    ) -> Summary:
        """Ask about what is due, then hand over what the dispatcher has yet to get.

        `Spayon.reconcile` tells what the options mean.
        """
        # Imported here, with its pool of threads: a web worker asks about one payment at a time.
        from .run import Run  # noqa: PLC0415  on demand

        stop = stop or threading.Event()
        summary = Run(
            self._ask,
            self._storage,
            self._clock,
            self._context,
            jobs=jobs,
            limit=limit,
            progress=progress or (lambda _: None),
            stop=stop,
        ).go()
        self._hand_over(summary, stop)
        # What the caller has read before may have been changed by another thread's transaction.
        self._storage.queries.look_again()
        self._heartbeat.write(Beat(self._clock(), summary.exit_code, str(summary)))
        return summary

    def _hand_over(self, summary: Summary, stop: threading.Event) -> None:
        """Give the dispatcher each callback row that waits for it, and count those it took."""
        seen: set[int] = set()

        while not stop.is_set():
            leased = self._storage.outbox.lease(now=self._clock(), limit=_HAND_OVER_BATCH)

            # Those that the dispatcher does not take come again, in the next run.
            if seen.intersection(each.callback_id for each in leased) or not leased:
                return

            for each in leased:
                try:
                    summary.handed_over += self._storage.outbox.hand_over(each)

                except Exception:
                    summary.failed += 1
                    logger.exception(
                        "not handed over; the next run tries again",
                        extra={"callback_id": each.callback_id},
                    )

            seen.update(each.callback_id for each in leased)

    def _ask(self, session_id: str, ends_at: datetime, now: datetime) -> Report | None:
        """Return what Spayon says, or None if it knows no such session, which may yet live."""
        try:
            return self._client.get_session(session_id)

        except SessionNotFoundError:
            over = now >= ends_at
            return Report(session_id=session_id, status="expired", body=b"") if over else None
