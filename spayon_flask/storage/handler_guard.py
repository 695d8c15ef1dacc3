"""HandlerGuard: the transaction stays ours while the shop's handlers write through `db.session`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from weakref import WeakSet

from sqlalchemy import Connection
from sqlalchemy import Engine
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.orm import SessionTransaction

from ..errors import HandlerError
from ..errors import NeedsReview
from .transactions import is_transient
from .transactions import loses_transaction
from .writes import belongs_to
from .writes import first_word
from .writes import writes


#: What psycopg calls `INERROR`: PostgreSQL answers the COMMIT of such a transaction with a ROLLBACK
#: and no error.
_IN_ERROR = 3

#: Statements that end a transaction on every database.
_ENDING = ("COMMIT", "ROLLBACK", "BEGIN", "START", "END", "ABORT")

#: Statements for which MariaDB commits first (its documentation, SQL statements that cause an
#: implicit commit). Temporary tables are excepted.
_COMMITTING = (
    *("CREATE", "ALTER", "DROP", "TRUNCATE", "RENAME", "GRANT", "REVOKE"),
    *("LOCK", "UNLOCK", "ANALYZE", "OPTIMIZE", "REPAIR"),
)

#: Statements that can hide a COMMIT or ROLLBACK from us.
_OPAQUE = ("CALL", "EXECUTE")

_SAVEPOINT = "spayon_before_call"

_TO_SAVEPOINT = re.compile(r"ROLLBACK\s+(WORK\s+|TRANSACTION\s+)?TO\b", re.IGNORECASE)
_TEMPORARY = re.compile(r"\w+\s+(OR\s+REPLACE\s+)?TEMPORARY\b", re.IGNORECASE)

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
_ONE_WRITER = (
    "the handler wrote through a second connection to SQLite, which has one writer: it would wait "
    "for our own transaction. Write through db.session of the current app context"
)


class HandlerGuard:
    """Stand over the transaction of *session* on *connection* from now on.

    *ended* is True once a handler ended the transaction, *lost* once the database did. *error* is
    the last error after which a new try may succeed.
    """

    def __init__(self, session: Session, connection: Connection) -> None:
        self.session = session
        self.connection = connection
        self.ended = False
        self.lost = False
        self.error: BaseException | None = None
        self._called = False
        self._other_sessions: WeakSet[Session] = WeakSet()
        self._other_connections: WeakSet[Connection] = WeakSet()
        self._transaction = session.get_transaction()
        self._root = connection.get_transaction()

    def check(self) -> None:
        """Write what the handlers left to be written. Raise `HandlerError` if it cannot last."""
        if self.has_ended():
            raise HandlerError(_ENDED)

        self.session.flush()

        if self._has_lost():
            raise HandlerError(_LOST) from self.error

        if self._called:
            self._check_call()

        if self._other_connections or any(
            each.new or each.dirty or each.deleted for each in self._other_sessions
        ):
            raise HandlerError(_ELSEWHERE)

    def has_ended(self) -> bool:
        """Return True if a handler has ended the transaction, by whatever call."""
        if self.ended or self.session.get_transaction() is not self._transaction:
            return True

        # The session's transaction goes on but the connection's does not: a handler ended it there.
        return bool(
            self._root
            and not self._root.is_active
            and self._transaction
            and self._transaction.is_active
            and not self.lost
        )

    def refuse_end(self) -> None:
        """Stop a handler that is about to end the transaction."""
        self.ended = True
        raise HandlerError(_ENDED)

    def refuse_end_of(self, transaction: SessionTransaction) -> None:
        """Stop a handler if *transaction* is the one that was begun for it."""
        if transaction is self._transaction:
            self.refuse_end()

    def note_session(self, session: Session) -> None:
        """Note that a handler began to use *session*."""
        if session is not self.session:
            self._other_sessions.add(session)

    def note_end(self, connection: Connection) -> None:
        """Note that what was written through *connection* is committed or rolled back."""
        self._other_connections.discard(connection)

    def note_error(self, error: BaseException | None) -> None:
        """Note an error of the database, which the handler may not let out."""
        if is_transient(error):
            self.error = error
            self.lost = self.lost or loses_transaction(error)

    def look_at(self, connection: Connection, statement: str) -> None:
        """Refuse *statement* if it would end the transaction; note it if it may."""
        word = first_word(statement)

        if connection is not self.connection:
            if writes(statement) and not belongs_to(connection, self.session):
                self._note_write(connection)

            return

        if word in _ENDING and not _TO_SAVEPOINT.search(statement):
            self.refuse_end()

        if connection.dialect.name in ("mysql", "mariadb"):
            if word in _COMMITTING and not _TEMPORARY.match(statement.lstrip()):
                self.refuse_end()

            # PostgreSQL lets no procedure end a transaction around it, and SQLite has none.
            if word in _OPAQUE and not self._called:
                self._called = True
                connection.exec_driver_sql(f"SAVEPOINT {_SAVEPOINT}")

    def _note_write(self, connection: Connection) -> None:
        if (
            connection.dialect.name == "sqlite"
            and connection.engine.url == self.connection.engine.url
        ):
            raise HandlerError(_ONE_WRITER)

        self._other_connections.add(connection)

    def _check_call(self) -> None:
        # A savepoint does not outlive its transaction.
        try:
            self.connection.exec_driver_sql(f"RELEASE SAVEPOINT {_SAVEPOINT}")

        except DBAPIError as error:
            self.ended = True
            raise HandlerError(_ENDED) from error

    def _has_lost(self) -> bool:
        """Return True if the database has given up the transaction, or would not commit it."""
        if self.lost or self._transaction is None or not self._transaction.is_active:
            return True

        driver = self.connection.connection.dbapi_connection
        dialect = self.connection.dialect.name

        if dialect == "sqlite":
            return not getattr(driver, "in_transaction", True)

        if dialect == "postgresql":
            status = getattr(getattr(driver, "info", None), "transaction_status", None)

            if status is None:
                # The driver does not tell. In such a transaction every statement but COMMIT fails.
                self.connection.exec_driver_sql("SELECT 1")

            return bool(status == _IN_ERROR)

        return False


_guard: ContextVar[HandlerGuard | None] = ContextVar("spayon_handler_guard", default=None)

#: The engines that we listen to.
_watched: WeakSet[Engine] = WeakSet()


@contextmanager
def handlers_only(session: Session, connection: Connection) -> Iterator[None]:
    """Run the shop's handlers inside the block.

    Raises `HandlerError` if one of them fails, ends the transaction, or writes elsewhere.
    `NeedsReview` passes through.
    """
    _watch(connection.engine)
    guard = HandlerGuard(session, connection)
    token = _guard.set(guard)

    try:
        yield
        guard.check()

    except HandlerError:
        raise

    except NeedsReview:
        if guard.has_ended():
            raise HandlerError(_ENDED) from None

        raise

    except Exception as error:  # noqa: BLE001  raised again, from what began it
        raise HandlerError(f"the handler failed with {type(error).__name__}") from (
            guard.error or error
        )

    finally:
        _guard.reset(token)


def _watch(engine: Engine) -> None:
    if engine in _watched:
        return

    for name, listener in (
        ("before_cursor_execute", _see_statement),
        ("commit", _see_commit),
        ("rollback", _see_rollback),
        ("handle_error", _see_error),
    ):
        event.listen(engine, name, listener)

    _watched.add(engine)


def _see_statement(connection: Connection, _: object, statement: str, *__: object) -> None:
    if (guard := _guard.get()) is not None:
        guard.look_at(connection, statement)


def _see_commit(connection: Connection) -> None:
    if (guard := _guard.get()) is not None:
        if connection is guard.connection:
            guard.refuse_end()

        guard.note_end(connection)


def _see_rollback(connection: Connection) -> None:
    if (guard := _guard.get()) is not None:
        guard.note_end(connection)


def _see_error(context: ExceptionContext) -> None:
    guard = _guard.get()

    if guard is not None and context.connection is guard.connection:
        guard.note_error(context.sqlalchemy_exception)


@event.listens_for(Session, "after_transaction_create")
def _see_session(session: Session, _: SessionTransaction) -> None:
    if (guard := _guard.get()) is not None:
        guard.note_session(session)


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
    if (guard := _guard.get()) is not None:
        guard.refuse_end_of(previous)
