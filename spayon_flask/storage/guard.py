"""Guard: what the shop writes is noticed, and the transaction stays ours while its handlers run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, SessionTransaction

from ..errors import HandlerError, NeedsReview, UncommittedChangesError
from .database_errors import is_transient, loses_transaction

_ENDED = (
    "the handler ended the transaction: it must neither commit, roll back nor close db.session, "
    "because its work and the record of the payment are committed together"
)
_LOST = (
    "the handler went on after an error by which the database gave up the transaction: let such an "
    "error out, or try what may fail inside `with db.session.begin_nested()`"
)
_ELSEWHERE = (
    "the handler wrote through another session than db.session, and did not commit there: what it "
    "wrote would be lost. Write through db.session of the current app context"
)
_TWO_DATABASES = (
    "the handler wrote to a second database through db.session, whose commit could fail alone: use "
    "two-phase commit (SQLAlchemy(session_options={'twophase': True})), keep the payments in the "
    "database of the orders, or write there behind the dispatcher"
)

_SAVEPOINT = "spayon_handlers"

#: The first word of a statement that ends a transaction.
_ENDING = ("COMMIT", "ROLLBACK", "END", "ABORT", "BEGIN", "START")

#: What psycopg calls `IDLE`, `INERROR` and `UNKNOWN`.
_IDLE, _IN_ERROR, _UNKNOWN = 0, 3, 4

#: In the `info` of a session and of a connection: what is known of the open transaction.
_OPEN = "spayon.open"

#: In the `info` of a session: handlers have run in the open transaction.
HANDLED = "spayon.handled"


class _Open:
    """The open transaction of a session; *has_written* is True once something was written."""

    has_written = False


def holds_changes(session: Session) -> bool:
    """Return True if *session* has changes that a commit would keep, as far as can be seen.

    Nobody sees what text with RETURNING, a function of the database, DDL or COPY has written.
    """
    known: _Open | None = session.info.get(_OPEN)
    has_written = known is not None and known.has_written
    return bool(has_written or session.new or session.dirty or session.deleted)


def begin_clean(session: Session) -> None:
    """End a transaction in which *session* has only read, so that the next one sees the present.

    Raises `UncommittedChangesError` if *session* holds changes, written or not.
    """
    if holds_changes(session):
        raise UncommittedChangesError(
            "db.session holds changes, which this call would commit: commit them or roll them back "
            "first"
        )
    end_reading(session)


def end_reading(session: Session) -> None:
    """End a transaction in which *session* has only read. What nobody has noticed is kept."""
    session.commit()
    session.expire_all()


# Listeners are set here, once, on the classes: an engine that is at work in other threads must not
# get another one, and a shop may make sessions of its own at any time.


@event.listens_for(Session, "after_begin")
def _note_begin(session: Session, _: SessionTransaction, connection: Connection) -> None:
    connection.info[_OPEN] = session.info.setdefault(_OPEN, _Open())


@event.listens_for(Session, "after_transaction_end")
def _note_end(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        session.info.pop(_OPEN, None)
        session.info.pop(HANDLED, None)


@event.listens_for(Engine, "after_cursor_execute")
def _note_statement(
    connection: Connection, cursor: Any, _statement: str, _values: object, context: Any, _: object
) -> None:
    guard = _guard.get()
    known: _Open | None = connection.info.get(_OPEN)

    if guard is not None and connection is guard.connection:
        if _told_state(connection) in (_IDLE, _UNKNOWN):
            guard.refuse_end()

    elif (
        context.isinsert
        or context.isupdate
        or context.isdelete
        or (cursor.description is None and cursor.rowcount > 0)
    ):
        if known is not None:
            known.has_written = True
        if guard is not None:
            guard.note_write(connection, known)


class _Guard:
    """Stand over the transaction of *session* on *connection* while handlers run.

    *error* is the last error of the database after which another try may succeed.
    """

    def __init__(self, session: Session, connection: Connection) -> None:
        self.session = session
        self.connection = connection
        self.transaction = session.get_transaction()
        self._root = connection.get_transaction()
        self._known = session.info.get(_OPEN)
        self._elsewhere: list[Any] = []
        self._has_second_database = False
        self._has_ended = False
        self._has_failed = False
        self._is_lost = False
        self.error: BaseException | None = None
        # psycopg tells the state of the transaction, others are asked for a savepoint.
        if _told_state(connection) is None:
            connection.exec_driver_sql(f"SAVEPOINT {_SAVEPOINT}")

    def check(self) -> None:
        """Write what the handlers left to be written. Raise `HandlerError` if it cannot last."""
        if self.has_ended():
            raise HandlerError(_ENDED)
        # Before anything is written: it might wait for what was written elsewhere.
        if any(each is not None and each.is_active for each in self._elsewhere):
            raise HandlerError(_ELSEWHERE)
        self.session.flush()
        if self._has_second_database and not self.session.twophase:
            raise HandlerError(_TWO_DATABASES)
        if self._is_lost or self.transaction is None or not self.transaction.is_active:
            raise HandlerError(_LOST) from self.error

        # A database rolls back by itself after some errors, a full disk for one.
        reason = _LOST if self._has_failed else _ENDED
        if not self._lasts():
            raise HandlerError(reason) from self.error

    def _lasts(self) -> bool:
        """Return True if the transaction is still the one in which the handlers began."""
        if (state := _told_state(self.connection)) is not None:
            return state not in (_IDLE, _IN_ERROR, _UNKNOWN)

        try:
            self.connection.exec_driver_sql(f"RELEASE SAVEPOINT {_SAVEPOINT}")
        except DBAPIError:
            # `LOCK TABLES` of MariaDB, for instance, outlasts a rollback.
            if self.connection.dialect.name != "sqlite":
                self.connection.invalidate()
            return False

        return True

    def give_up(self) -> None:
        """Look what a handler that has failed has done to the connection."""
        if not (self.connection.closed or self.connection.invalidated):
            self._lasts()

    def has_ended(self) -> bool:
        """Return True if a handler has ended the transaction, by whatever call."""
        if self._has_ended or self.session.get_transaction() is not self.transaction:
            return True

        # The session's transaction goes on but the connection's does not: a handler ended it there.
        goes_on = self.transaction is not None and self.transaction.is_active
        return goes_on and self._root is not None and not (self._root.is_active or self._is_lost)

    def refuse_end(self) -> None:
        """Stop a handler that ends the transaction."""
        self._has_ended = True
        raise HandlerError(_ENDED)

    def note_write(self, connection: Connection, known: _Open | None) -> None:
        """Note that something was written through *connection*, which is not the guard's."""
        if known is not None and known is self._known:
            self._has_second_database = True
        else:
            self._elsewhere.append(connection.get_transaction())

    def note_error(self, error: BaseException | None) -> None:
        """Note an error of the database, which the handler may not let out."""
        self._has_failed = True
        if is_transient(error):
            self.error = error
            self._is_lost = self._is_lost or loses_transaction(error)


def _told_state(connection: Connection) -> int | None:
    """Return the state of the transaction as psycopg and psycopg2 tell it, or None."""
    driver: Any = connection.connection.dbapi_connection
    state: int | None = getattr(getattr(driver, "info", None), "transaction_status", None)
    return state


_guard: ContextVar[_Guard | None] = ContextVar("spayon_guard", default=None)


@contextmanager
def guarded(
    session: Session, connection: Connection, *, may_hold_back: bool = False
) -> Iterator[None]:
    """Run the shop's handlers inside the block.

    Raises `HandlerError` if one of them fails, ends the transaction, writes elsewhere, or writes to
    a second database without two-phase commit. `NeedsReview` passes through with *may_hold_back*.
    """
    guard = _Guard(session, connection)
    token = _guard.set(guard)

    try:
        yield
        guard.check()
        session.info[HANDLED] = True
    except Exception as error:
        guard.give_up()
        if isinstance(error, HandlerError):
            raise
        if guard.has_ended():
            raise HandlerError(_ENDED) from error
        if may_hold_back and isinstance(error, NeedsReview):
            raise
        raise HandlerError(f"the handler failed with {type(error).__name__}") from (
            guard.error or error
        )
    finally:
        _guard.reset(token)


@event.listens_for(Engine, "before_cursor_execute")
def _see_statement(connection: Connection, _: object, statement: str, *__: object) -> None:
    if (guard := _guard.get()) is not None and connection is guard.connection:
        first, *more = [word.upper().rstrip(";") for word in statement.split(None, 3)[:3]] or [""]

        if first in _ENDING and "TO" not in more:
            guard.refuse_end()


@event.listens_for(Engine, "commit")
def _see_commit(connection: Connection) -> None:
    if (guard := _guard.get()) is not None and connection is guard.connection:
        guard.refuse_end()


@event.listens_for(Engine, "handle_error")
def _see_error(context: ExceptionContext) -> None:
    if (guard := _guard.get()) is not None and context.connection is guard.connection:
        guard.note_error(context.sqlalchemy_exception)


@event.listens_for(Session, "before_commit")
def _see_session_commit(session: Session) -> None:
    guard = _guard.get()

    # A handler may use savepoints, and a session of its own.
    if guard is None or session.in_nested_transaction():
        return
    if session is guard.session or guard.has_ended():
        guard.refuse_end()


@event.listens_for(Session, "after_soft_rollback")
def _see_session_rollback(_: Session, previous: SessionTransaction) -> None:
    if (guard := _guard.get()) is not None and previous is guard.transaction:
        guard.refuse_end()
