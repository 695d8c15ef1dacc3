"""Transactions: the shop's session, and one way to run our statements in it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Table,
    bindparam,
    inspect,
    update,
)
from sqlalchemy.orm import Mapper, Session, make_transient_to_detached, scoped_session
from sqlalchemy.orm.attributes import instance_dict, set_committed_value

from ..errors import HandlerError
from .database_errors import hide_parameters, is_transient
from .guard import HANDLED, begin_clean, holds_changes
from .models import CallbackMixin, PaymentMixin, table_of

logger = logging.getLogger(__name__)

#: A transaction that lost against another one is tried at most this many times in all.
MAX_TRIES = 5

#: No further try begins after this many seconds, half of what gunicorn gives a request: a worker
#: must not wait for a lock again and again. A server that has crashed is back by then, as a rule.
MAX_SECONDS = 15.0


class LostRaceError(Exception):
    """Another transaction changed what ours was decided upon."""


class Database(Protocol):
    """What we need of the shop's `SQLAlchemy` object."""

    @property
    def session(self) -> scoped_session[Any]: ...


@dataclass(frozen=True, eq=False)
class Source:
    """Where the payments of one vendor *account* at one *gateway* are kept.

    *db* is the shop's `SQLAlchemy` object. Its `session` is looked up each time: a shop may replace
    it.
    """

    account: str
    gateway: str
    db: Database
    payment_class: type[PaymentMixin]
    callback_class: type[CallbackMixin]
    #: The statements that were built for the two tables: every account executes the same.
    statements: dict[Any, Any] = field(default_factory=dict)


def statement(build: Callable[[Any], Any]) -> Any:
    """Have a method of a `Part` build a statement once, which is then read like an attribute."""

    def read(part: Part) -> Any:
        built = part.source.statements

        if build not in built:
            built[build] = build(part)

        return built[build]

    return property(read)


class Part:
    """Read or write the payments of *source* through the shop's own session.

    Each statement stands where it is executed, or beside that method if every callback or checkout
    executes it: then it is built once. Its bound parameters that would clash with the name of a
    column begin with `the_`. *mine* is the one by which such a statement knows its account.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.account = source.account
        self.mine = {"the_account": source.account}
        self.payment: Table = table_of(source.payment_class)
        self.callback: Table = table_of(source.callback_class)
        self._mapper: Mapper[Any] = inspect(source.payment_class)

    @property
    def session(self) -> Session:
        """The shop's session of this app context."""
        session: Session = self.source.db.session()
        return session

    def session_in_use(self) -> Session | None:
        """Return the shop's session of this app context, or None if nobody has used it yet."""
        scoped = self.source.db.session

        try:
            return scoped() if scoped.registry.has() else None

        except RuntimeError:
            # Outside an app context there is no session, and a receiver cannot have used it.
            return None

    def connect(self) -> Connection:
        """Return the connection, in the session's transaction, to the database that we write to.

        A session that sends reads to a replica is told that a statement is going to write.
        """
        return self.session.connection(
            bind_arguments={"mapper": self._mapper, "clause": self._any_write}
        )

    def see_present(self, connection: Connection) -> None:
        """Let *connection* see what is there now. Nothing may have been written yet.

        MariaDB shows a transaction what was there at its first look. A handler has to see what was
        committed while our first write waited for a lock.
        """
        if connection.dialect.name not in ("mysql", "mariadb") or self.session.twophase:
            return

        # A test suite may have begun a transaction around the session.
        if not isinstance(self.session.get_bind(self._mapper), Connection):
            connection.exec_driver_sql("COMMIT")

    def commit_earlier_work(self) -> None:
        """Commit what the shop has written in this request before it came to a view of ours.

        A `before_request` that notes when a user was last seen is the usual one. If that cannot be
        committed, it is rolled back and logged: it must not keep a payment from being recorded.
        """
        session = self.session_in_use()

        if session is None or not holds_changes(session):
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
            # What the shop has written into its own columns, and not yet flushed, stays.
            unmodified = inspect(payment).unmodified
            session.expire(payment, unmodified)

            for name, value in known.items():
                if name in unmodified:
                    set_committed_value(payment, name, value)

        return payment  # type: ignore[no-any-return]  # an identity map holds Any

    @cached_property
    def _attributes(self) -> list[tuple[str, str]]:
        """The attributes of a payment object, each with the name of its column."""
        return [(each.key, each.columns[0].name) for each in self._mapper.column_attrs]

    @statement
    def is_mine(self) -> ColumnElement[bool]:
        """The condition that a payment belongs to this account, of a statement given *mine*."""
        return self.payment.c.account == bindparam("the_account")

    def waits_for_dispatcher(self, now: Any) -> Any:
        """Return the condition that a callback row is due to be handed over at *now*.

        `dispatch_at` is set in the transaction that changes a status, and cleared once the
        dispatcher has taken the row.
        """
        return self.callback.c.dispatch_at <= now

    def take_lock(self, connection: Connection) -> None:
        """Lock the database if it is SQLite, which has no row locks: by a write of nothing."""
        if connection.dialect.name == "sqlite":
            nothing = update(self.payment).where(self.payment.c.id == -1)
            connection.execute(nothing.values(attempts=0))

    @statement
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

            except Exception as error:
                hide_parameters(error)

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
    handled = HANDLED in session.info

    try:
        session.commit()

    except Exception as error:
        if not handled or is_transient(error):
            raise

        # A constraint or a trigger that is checked at the end, or a listener of the shop.
        raise HandlerError(
            f"what the handler wrote could not be committed ({type(error).__name__})"
        ) from error


def _may_win(error: Exception) -> bool:
    cause = error.__cause__ if isinstance(error, HandlerError) else error
    return isinstance(error, LostRaceError) or is_transient(cause)
