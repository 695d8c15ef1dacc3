"""Transactions: the shop's session, and one way to run our statements in it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from functools import wraps
from typing import Any
from typing import Concatenate
from typing import ParamSpec
from typing import Protocol
from typing import TypeVar

from sqlalchemy import ColumnElement
from sqlalchemy import Connection
from sqlalchemy import RowMapping
from sqlalchemy import Table
from sqlalchemy import bindparam
from sqlalchemy import inspect
from sqlalchemy import update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapper
from sqlalchemy.orm import Session
from sqlalchemy.orm import make_transient_to_detached
from sqlalchemy.orm import scoped_session
from sqlalchemy.orm.attributes import instance_dict
from sqlalchemy.orm.attributes import set_committed_value

from ..errors import HandlerError
from ..models import CallbackMixin
from ..models import PaymentMixin
from ..models import table_of
from .database_errors import is_transient
from .writes import begin_clean
from .writes import holds_changes


logger = logging.getLogger(__name__)

#: A transaction that lost against another one is tried at most this many times in all.
MAX_TRIES = 5

#: No further try begins after this many seconds, half of what gunicorn gives a request: a worker
#: must not wait for a lock again and again. A server that has crashed is back by then, as a rule.
MAX_SECONDS = 15.0

#: The states of a transaction. PostgreSQL answers the COMMIT of one that has failed with a ROLLBACK
#: and no error.
OPEN = "open"
FAILED = "failed"
ENDED = "ended"

#: What psycopg calls `IDLE` and `INERROR`.
_IDLE = 0
_IN_ERROR = 3

#: MariaDB's protocol: the bit of the server's status that says that a transaction is open.
_IN_TRANSACTION = 1


class LostRaceError(Exception):
    """Another transaction changed what ours was decided upon."""


class Database(Protocol):
    """What we need of the shop's `SQLAlchemy` object."""

    @property
    def session(self) -> scoped_session[Any]: ...


@dataclass(frozen=True, eq=False)
class Source:
    """Where the payments of one vendor *account* are kept.

    *db* is the shop's `SQLAlchemy` object. Its `session` is looked up each time: a shop may replace
    it.
    """

    account: str
    db: Database
    payment_class: type[PaymentMixin]
    callback_class: type[CallbackMixin]


class Part:
    """Read or write the payments of *source* through the shop's own session.

    Each statement stands beside the method that executes it, and is built once. Bound parameters
    that would clash with the name of a column begin with `the_`.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.account = source.account
        self.payment: Table = table_of(source.payment_class)
        self.callback: Table = table_of(source.callback_class)
        self._mapper: Mapper[Any] = inspect(source.payment_class)

    @property
    def session(self) -> Session:
        """The shop's session of this app context."""
        session: Session = self.source.db.session()
        return session

    def connect(self) -> Connection:
        """Return the connection, in the session's transaction, to the database that we write to.

        A session that sends reads to a replica is told that a statement is going to write.
        """
        return self.session.connection(
            bind_arguments={"mapper": self._mapper, "clause": self._any_write}
        )

    def commit_earlier_work(self) -> None:
        """Commit what the shop has written in this request before it came to a view of ours.

        A `before_request` that notes when a user was last seen is the usual one. If that cannot be
        committed, it is rolled back and logged: it must not keep a payment from being recorded.
        """
        scoped = self.source.db.session

        # Most requests have not used the session yet.
        if not scoped.registry.has() or not holds_changes(session := scoped()):
            return

        try:
            session.commit()

        except Exception:
            session.rollback()
            logger.exception(
                "what the shop wrote before our view was not committed",
                extra={"account": self.account},
            )

    def load(self, values: Mapping[str, Any] | RowMapping) -> PaymentMixin:
        """Return a payment as an object of the session; *values* are those of its columns.

        The database is not asked. What is not in *values* is loaded when somebody needs it.
        """
        session = self.session
        known = {key: values[name] for key, name in self._attributes if name in values}
        key = self._mapper.identity_key_from_primary_key((values["id"],))
        payment = session.identity_map.get(key)

        if payment is None:
            payment = self._mapper.class_manager.new_instance()
            instance_dict(payment).update(known)
            make_transient_to_detached(payment)
            session.add(payment)

        else:
            session.expire(payment)

            for name, value in known.items():
                set_committed_value(payment, name, value)

        return payment  # type: ignore[no-any-return]  # an identity map holds Any

    @cached_property
    def _attributes(self) -> list[tuple[str, str]]:
        """The attributes of a payment object, each with the name of its column."""
        return [(each.key, each.columns[0].name) for each in self._mapper.column_attrs]

    @cached_property
    def is_mine(self) -> ColumnElement[bool]:
        """The condition that a payment belongs to this account."""
        return self.payment.c.account == bindparam("the_account", self.account)

    def waits_for_dispatcher(self, now: Any) -> Any:
        """Return the condition that a callback row is due to be handed over at *now*.

        `dispatch_at` is set in the transaction that changes a status, and cleared once the
        dispatcher has taken the row.
        """
        return self.callback.c.dispatch_at <= now

    @cached_property
    def take_lock(self) -> Any:
        """A statement that writes nothing, and by which SQLite locks the database for us."""
        return update(self.payment).where(self.payment.c.id == -1).values(attempts=0)

    @cached_property
    def _any_write(self) -> Any:
        return update(self.payment)


_Owner = TypeVar("_Owner", bound=Part)
_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def transaction(
    method: Callable[Concatenate[_Owner, Connection, _Arguments], _Result],
) -> Callable[Concatenate[_Owner, _Arguments], _Result]:
    """Run *method* in a transaction of its own, and hand it the connection.

    The transaction begins with what is in the database now, and commits when *method* returns. If
    another transaction won, *method* runs again, at most `MAX_TRIES` times and not later than
    `MAX_SECONDS` after the first time. No transaction is left open. Raises
    `UncommittedChangesError` if the shop's session holds changes.
    """

    @wraps(method)
    def run(self: _Owner, *args: _Arguments.args, **options: _Arguments.kwargs) -> _Result:
        session = self.session

        # A session without a transaction holds no change.
        if session.in_transaction():
            begin_clean(session)

        give_up_at = time.monotonic() + MAX_SECONDS

        for left in reversed(range(MAX_TRIES)):
            try:
                result = method(self, self.connect(), *args, **options)
                _commit(session)

            except (LostRaceError, DBAPIError, HandlerError) as error:
                if not (left and _may_win(error) and time.monotonic() < give_up_at):
                    raise

            else:
                return result

            finally:
                if session.in_transaction():
                    session.rollback()

        raise AssertionError("unreachable")

    return run  # type: ignore[return-value]  # a wrapper's type says less than that of a method


def _commit(session: Session) -> None:
    try:
        session.commit()

    except IntegrityError as error:
        # None of our own constraints is checked as late as this.
        raise HandlerError(
            "the database refused the commit: a constraint that is checked at the end of the "
            "transaction does not hold for what the handler wrote"
        ) from error


def _may_win(error: Exception) -> bool:
    cause = error.__cause__ if isinstance(error, HandlerError) else error
    return isinstance(error, LostRaceError) or is_transient(cause)


def state_of_transaction(connection: Connection) -> str:
    """Return `OPEN`, `FAILED` or `ENDED`, as far as the driver knows."""
    driver: Any = connection.connection.dbapi_connection

    # psycopg and psycopg2 have this, pg8000 does not.
    if (status := getattr(getattr(driver, "info", None), "transaction_status", None)) is not None:
        return {_IDLE: ENDED, _IN_ERROR: FAILED}.get(status, OPEN)

    if (open_now := getattr(driver, "in_transaction", None)) is not None:
        return OPEN if open_now else ENDED

    if (server_status := getattr(driver, "server_status", None)) is not None:
        return OPEN if server_status & _IN_TRANSACTION else ENDED

    if connection.dialect.name == "postgresql":
        # The driver does not tell. The server does: ours has written, so it has a number. In a
        # transaction that has failed this statement fails, as every other but COMMIT.
        number = connection.exec_driver_sql("SELECT txid_current_if_assigned()").scalar()
        return OPEN if number is not None else ENDED

    return OPEN
