"""HandlerGuard: the transaction stays ours while the shop's handlers write through `db.session`."""

from __future__ import annotations

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
from .database_errors import is_transient
from .database_errors import lacks_savepoint
from .database_errors import loses_transaction
from .transactions import ENDED
from .transactions import FAILED
from .transactions import state_of_transaction
from .writes import Elsewhere
from .writes import belongs_to
from .writes import ends_transaction
from .writes import may_end_transaction
from .writes import used
from .writes import writes


_SAVEPOINT = "spayon_before_call"

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
        self.elsewhere = Elsewhere()
        self.ended = False
        self.lost = False
        self.error: BaseException | None = None
        self._has_failed = False
        self._is_called = False
        self._transaction = session.get_transaction()
        self._root = connection.get_transaction()
        # What the shop has left in other sessions before is none of the handler's.
        self._left_before = self._others_with_changes()

    def check(self) -> None:
        """Write what the handlers left to be written. Raise `HandlerError` if it cannot last."""
        if self.has_ended():
            raise HandlerError(_ENDED)

        # Before anything is written: it might wait for what was written elsewhere.
        seen = self.elsewhere
        left = self._others_with_changes() - self._left_before

        if left or seen.written or seen.closed or seen.forgot_changes:
            raise HandlerError(_ELSEWHERE)

        self.session.flush()
        is_lost = self.lost or self._transaction is None or not self._transaction.is_active
        state = FAILED if is_lost else state_of_transaction(self.connection)

        if state == FAILED:
            raise HandlerError(_LOST) from self.error

        if state == ENDED:
            # SQLite rolls back by itself after some errors, a full disk for one.
            raise HandlerError(_LOST if self._has_failed else _ENDED) from self.error

    def _others_with_changes(self) -> set[Session]:
        """Return the other sessions of this thread that have changes to write."""
        return {
            each
            for each in list(used.sessions)
            if each is not self.session and (each.new or each.dirty or each.deleted)
        }

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

    def note_error(self, connection: Connection | None, error: BaseException | None) -> None:
        """Note an error of the database, which the handler may not let out."""
        if connection is not self.connection:
            self.elsewhere.note_error(connection)
            return

        self._has_failed = True

        if is_transient(error):
            self.error = error
            self.lost = self.lost or loses_transaction(error)

    def before(self, connection: Connection, statement: str) -> None:
        """Refuse *statement* if it would end the transaction."""
        if connection is not self.connection:
            if writes(statement) and not belongs_to(connection, self.session):
                self._note_write(connection)

            return

        if ends_transaction(statement, connection.dialect.name):
            self.refuse_end()

        if may_end_transaction(statement, connection.dialect.name):
            # A savepoint does not outlive its transaction.
            connection.exec_driver_sql(f"SAVEPOINT {_SAVEPOINT}")
            self._is_called = True

    def after(self, connection: Connection, statement: str) -> None:
        """Stop the handler if *statement* has ended the transaction after all."""
        if (
            connection is not self.connection
            or not self._is_called
            or not may_end_transaction(statement, connection.dialect.name)
        ):
            return

        self._is_called = False

        try:
            connection.exec_driver_sql(f"RELEASE SAVEPOINT {_SAVEPOINT}")

        except DBAPIError as error:
            if lacks_savepoint(error):
                self.refuse_end()

            raise

    def _note_write(self, connection: Connection) -> None:
        if (
            connection.dialect.name == "sqlite"
            and connection.engine.url == self.connection.engine.url
        ):
            raise HandlerError(_ONE_WRITER)

        self.elsewhere.note_write(connection)


_guard: ContextVar[HandlerGuard | None] = ContextVar("spayon_handler_guard", default=None)

#: The engines that we listen to.
_watched: WeakSet[Engine] = WeakSet()


@contextmanager
def handlers_only(session: Session, connection: Connection) -> Iterator[None]:
    """Run the shop's handlers inside the block.

    Raises `HandlerError` if one of them fails, ends the transaction, or writes elsewhere.
    `NeedsReview` passes through.
    """
    if connection.engine not in _watched:
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
    for name, listener in (
        ("before_cursor_execute", _see_statement),
        ("after_cursor_execute", _see_its_end),
        ("commit", _see_commit),
        ("rollback", _see_rollback),
        ("handle_error", _see_error),
    ):
        event.listen(engine, name, listener)

    _watched.add(engine)


def _see_statement(connection: Connection, _: object, statement: str, *__: object) -> None:
    if (guard := _guard.get()) is not None:
        guard.before(connection, statement)


def _see_its_end(connection: Connection, _: object, statement: str, *__: object) -> None:
    if (guard := _guard.get()) is not None:
        guard.after(connection, statement)


def _see_commit(connection: Connection) -> None:
    if (guard := _guard.get()) is not None:
        if connection is guard.connection:
            guard.refuse_end()

        guard.elsewhere.note_end(connection, committed=True)


def _see_rollback(connection: Connection) -> None:
    if (guard := _guard.get()) is not None:
        guard.elsewhere.note_end(connection, committed=False)


def _see_error(context: ExceptionContext) -> None:
    if (guard := _guard.get()) is not None:
        guard.note_error(context.connection, context.sqlalchemy_exception)


@event.listens_for(Session, "after_transaction_create")
def _see_session(session: Session, _: SessionTransaction) -> None:
    if (guard := _guard.get()) is not None and session is not guard.session:
        guard.elsewhere.note_session(session)


@event.listens_for(Session, "after_rollback")
def _see_undoing(session: Session) -> None:
    if (guard := _guard.get()) is not None:
        guard.elsewhere.note_rollback(session)


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
