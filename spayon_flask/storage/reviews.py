"""Reviews: a person's word on a payment that the money guard held back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import inspect
from sqlalchemy import select
from sqlalchemy import update
from sqlalchemy.orm import Session

from ..errors import ReviewError
from ..handlers import Handlers
from ..models import CallbackMixin
from ..models import PaymentMixin
from ..verdicts import APPLIED
from ..verdicts import REVIEW
from ..verdicts import Decision
from .changes import Changes
from .records import DISPATCH_LEASE
from .statements import NEEDED
from .transactions import with_retries


class Reviews:
    """Move payments of *account* out of review."""

    def __init__(
        self,
        account: str,
        payment_class: type[PaymentMixin],
        callback_class: type[CallbackMixin],
        changes: Changes,
        handlers: Handlers,
    ) -> None:
        self._account = account
        self._payment = payment_class
        self._callback = callback_class
        self._changes = changes
        self._handlers = handlers

    def settle(
        self,
        session: Session,
        payment_id: int,
        *,
        accept: bool,
        by: str,
        because: str,
        now: datetime,
    ) -> list[int]:
        """Make the payment `paid` or else `failed`, run the handlers of that once, and commit.

        Keeps who decided, and why. Returns the callback rows that the dispatcher is to be given
        again, now that what they caused is settled. Raises `ReviewError` where the payment is not
        under review, or cannot become `paid` because another payment holds the order.
        """

        def work() -> list[int]:
            payment = session.get(self._payment, payment_id)

            if payment is None or payment.status != "review":
                what = "gone" if payment is None else payment.status
                raise ReviewError(f"this payment is not under review, it is {what}")

            if accept:
                self._check_order(session, payment)

            found = {name: getattr(payment, name) for name in NEEDED}
            # First the callback rows, then the payment: the order in which a report locks them.
            again = self._dispatch_again(session, payment.session_id, now)
            payment.reviewed_by, payment.reviewed_because, payment.reviewed_at = by, because, now
            session.flush()
            decision = Decision(APPLIED, "paid" if accept else "failed", found["review"])
            connection = session.connection(bind_arguments={"mapper": inspect(self._payment)})
            self._changes.write(lambda: session, connection, found, decision, None, now)
            session.commit()
            return again

        return with_retries(session, work)

    def _check_order(self, session: Session, payment: PaymentMixin) -> None:
        p = self._payment
        holder = session.scalars(
            select(p).where(
                p.account == self._account,
                p.held_order_id == payment.order_id,
                p.id != payment.id,
                p.status != "pending",
            )
        ).first()

        if holder is None:
            return

        if holder.status == "paid":
            raise ReviewError(
                f"order {payment.order_id} is paid already, by payment session "
                f"{holder.session_id}: refund this one in Spayon's admin panel, then refuse it"
            )

        raise ReviewError(
            f"another payment of order {payment.order_id} is under review too, and holds the "
            f"order: settle payment session {holder.session_id} first"
        )

    def _dispatch_again(self, session: Session, session_id: str | None, now: datetime) -> list[int]:
        if self._handlers.dispatcher is None:
            return []

        c = self._callback
        mine = (c.account == self._account, c.session_id == session_id, c.verdict == REVIEW)
        ids = list(session.scalars(select(inspect(c).primary_key[0]).where(*mine)))
        values: dict[str, Any] = {"dispatch_at": now + DISPATCH_LEASE}
        session.execute(update(c).where(*mine).values(values))
        return ids
