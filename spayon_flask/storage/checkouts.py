"""Checkouts: which payment holds an order while it is being paid."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from datetime import timedelta
from typing import Any
from typing import NamedTuple

from sqlalchemy import Row
from sqlalchemy import inspect
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ..models import PaymentMixin
from ..orders import Order
from .statements import Statements
from .transactions import LostRaceError
from .transactions import with_retries


#: A payment session lives this long (Spayon's documentation, create session).
SESSION_LIFETIME = timedelta(minutes=15)

#: A creation that never finished blocks its order for this long.
CREATION_LIMIT = timedelta(seconds=30)


class Claim(NamedTuple):
    """What stands for an order: *state* and the payment's id.

    `created`: a new row, for whose payment session Spayon is yet to be asked. `live`: its session
    can be paid. `creating`: another request is asking Spayon. `lapsed`: its session is past its
    time, by our clock. `paid` and `review`: nothing more is to be paid.
    """

    state: str
    payment_id: int
    reference: str = ""


class EarlyReport(NamedTuple):
    """A report that was recorded before its payment session was known."""

    body: bytes
    source: str
    secret_index: int | None


class Checkouts:
    """Give each order of *account* at most one payment that can be paid."""

    def __init__(
        self, account: str, payment_class: type[PaymentMixin], statements: Statements
    ) -> None:
        self._account = account
        self._payment_class = payment_class
        self._mapper = inspect(payment_class)
        self._statements = statements

    def claim(
        self, session: Session, order: Order, *, now: datetime, give_up: int | None = None
    ) -> Claim:
        """Return what stands for *order*; where nothing does, commit a new pending payment.

        *give_up* names a lapsed payment that the order does not wait for any longer.
        """
        return with_retries(session, lambda: self._claim(session, order, now, give_up))

    def settle(
        self, session: Session, payment_id: int, session_id: str, session_url: str, *, now: datetime
    ) -> Sequence[EarlyReport] | None:
        """Commit Spayon's answer, and return the reports that were here before it.

        Returns None where the payment has taken over another payment session in the meantime, or
        another payment has this one.
        """

        def work() -> Sequence[EarlyReport] | None:
            connection = session.connection(bind_arguments={"mapper": self._mapper})

            try:
                result = connection.execute(
                    self._statements.write_session,
                    {
                        "the_id": payment_id,
                        "session_id": session_id,
                        "session_url": session_url,
                        "expires_at": now + SESSION_LIFETIME,
                        "due_at": now,
                        "updated_at": now,
                    },
                )

            except IntegrityError:
                return None

            if result.rowcount != 1:
                return None

            early = connection.execute(
                self._statements.find_unknown, {"the_session_id": session_id}
            ).all()
            session.commit()
            return [EarlyReport(bytes(row.body), row.source, row.secret_index) for row in early]

        return with_retries(session, work)

    def release(self, session: Session, payment_id: int) -> None:
        """Let go of the order: the creation failed, and the payer may try again at once.

        The row stays pending, because Spayon may have created the payment session all the same.
        """

        def work() -> None:
            connection = session.connection(bind_arguments={"mapper": self._mapper})
            self._let_go(connection, payment_id, superseded=False)
            session.commit()

        with_retries(session, work)

    def _claim(self, session: Session, order: Order, now: datetime, give_up: int | None) -> Claim:
        connection = session.connection(bind_arguments={"mapper": self._mapper})
        standing = connection.execute(
            self._statements.find_standing,
            {"the_account": self._account, "the_order_id": order.order_id},
        ).all()

        for status in ("paid", "review"):
            for row in standing:
                if row.status == status:
                    return Claim(status, row.id)

        for row in standing:
            state = _state(row, order, now)

            if state in ("live", "creating") or (state == "lapsed" and row.id != give_up):
                return Claim(state, row.id)

            # Gone between our look and now: paid, perhaps.
            if not self._let_go(connection, row.id, superseded=state == "superseded"):
                raise LostRaceError

        # Unguessable: it opens the cancel page.
        reference = secrets.token_urlsafe(24)
        payment_id = self._insert(connection, order, reference, now)
        session.commit()
        return Claim("created", payment_id, reference)

    def _insert(self, connection: Any, order: Order, reference: str, now: datetime) -> int:
        try:
            result = connection.execute(
                self._statements.insert_payment,
                {
                    "account": self._account,
                    "order_id": order.order_id,
                    "held_order_id": order.order_id,
                    "reference": reference,
                    "status": "pending",
                    "product_id": order.product_id,
                    "product_name": order.product_name,
                    "price": order.price,
                    "currency": order.currency,
                    "language": order.language,
                    "created_at": now,
                    "updated_at": now,
                    "due_at": now + SESSION_LIFETIME,
                    "attempts": 0,
                    "superseded": False,
                },
            )

        except IntegrityError as error:
            raise LostRaceError from error

        return int(result.inserted_primary_key[0])

    def _let_go(self, connection: Any, payment_id: int, *, superseded: bool) -> bool:
        result = connection.execute(
            self._statements.let_go, {"the_id": payment_id, "superseded": superseded}
        )
        return bool(result.rowcount == 1)


def _state(row: Row[Any], order: Order, now: datetime) -> str:
    if row.session_id is None:
        return "creating" if now < row.created_at + CREATION_LIMIT else "abandoned"

    if not order.is_asked_by(row):
        return "superseded"

    # Without a URL there is nowhere to send the payer: a report was quicker than the answer.
    if row.session_url is None:
        return "creating" if now < row.created_at + CREATION_LIMIT else "lapsed"

    return "live" if now < row.expires_at else "lapsed"
