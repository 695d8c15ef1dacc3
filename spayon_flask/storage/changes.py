"""Changes: the status that a payment is given, with the shop's handlers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection
from sqlalchemy import inspect
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.orm import make_transient_to_detached
from sqlalchemy.orm.attributes import instance_dict
from sqlalchemy.orm.attributes import set_committed_value

from ..handlers import Handlers
from ..models import PaymentMixin
from ..reports import Report
from ..verdicts import ENDED
from ..verdicts import Decision
from .guard import handlers_only
from .statements import Statements
from .transactions import LostRaceError


#: So long after a payment has failed or expired, Spayon is asked about it once more. A payer may
#: pay until the 15 minutes of the payment session are over, and the three deliveries that say so
#: take 10 (Spayon's documentation, create session and callbacks).
LAST_LOOK = timedelta(minutes=30)


class Changes:
    """Change payments of *account*, inside a transaction that the caller commits."""

    def __init__(
        self,
        account: str,
        payment_class: type[PaymentMixin],
        statements: Statements,
        handlers: Handlers,
    ) -> None:
        self._account = account
        self._mapper = inspect(payment_class)
        self._names = self._mapper.column_attrs.keys()
        self._statements = statements
        self._handlers = handlers

    def write(
        self,
        join: Callable[[], Session],
        connection: Connection,
        found: dict[str, Any],
        decision: Decision,
        report: Report | None,
        now: datetime,
        written: str | None = None,
    ) -> None:
        """Write the status that *decision* gives to the payment *found*, and run its handlers.

        *join* is called where a handler is next, and returns the session, which has a part in the
        transaction of *connection* from then on.
        *written* is the status that it has been given meanwhile, with the `ending` of *report*.
        Raises `LostRaceError` where the payment is not any more as it was found.
        """
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
            "due_at": None,
        }

        if report is not None:
            values |= ending(report, now)
            values["session_id"] = report.session_id

            # The price of a product of the admin panel is Spayon's to tell, under review as well.
            if found["product_id"] is not None and decision.status in ("paid", "review"):
                values["price"], values["currency"] = report.price, report.currency

        if decision.status == "review":
            values["held_order_id"] = found["held_order_id"]

        if decision.status == "paid":
            values["held_order_id"] = found["order_id"]

            if found["held_order_id"] is None:
                connection.execute(self._statements.displace, key)

        if written != decision.status:
            self._write(connection, found | {"status": written or found["status"]}, values)

        self._run_handlers(join, connection, {**found, **values})

    def _write(self, connection: Connection, found: dict[str, Any], values: dict[str, Any]) -> None:
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

    def _run_handlers(
        self, join: Callable[[], Session], connection: Connection, values: dict[str, Any]
    ) -> None:
        handlers = self._handlers.by_status[values["status"]]

        if not handlers:
            return

        session = join()
        payment = self._load(session, values["id"], values)

        with handlers_only(session, connection):
            for handler in handlers:
                handler(payment)

    def _load(self, session: Session, payment_id: int, values: dict[str, Any]) -> PaymentMixin:
        """Return the payment as an object of *session*, without asking the database for it."""
        key = self._mapper.identity_key_from_primary_key((payment_id,))
        payment = session.identity_map.get(key)
        loaded = {name: values[name] for name in self._names if name in values}

        if payment is not None:
            session.expire(payment)

            for name, value in loaded.items():
                set_committed_value(payment, name, value)

        else:
            payment = self._mapper.class_manager.new_instance()
            instance_dict(payment).update(loaded)
            # Persistent from here on: what is not in it is loaded when somebody asks for it.
            make_transient_to_detached(payment)
            session.add(payment)

        return payment  # type: ignore[no-any-return]  # an identity map holds Any


def ending(report: Report, now: datetime) -> dict[str, Any]:
    """Return what a payment that changes takes over from *report*, whatever is decided."""
    # Spayon may yet change its mind, and tell us in vain.
    ended = report.status in ENDED
    return {
        "decline_reasons": list(report.decline_reasons) or None,
        "due_at": now + LAST_LOOK if ended else None,
    }
