"""Guard: the transaction stays ours while the shop's handlers write through `db.session`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from weakref import WeakSet

from sqlalchemy import Connection
from sqlalchemy import Engine
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.orm import Session
from sqlalchemy.orm import SessionTransaction
from sqlalchemy.orm import scoped_session

from ..errors import HandlerError
from .own_connection import listen_for_commit
from .transactions import is_transient
from .transactions import loses_transaction


#: What psycopg calls `INERROR`: PostgreSQL answers the COMMIT of such a transaction with a
#: ROLLBACK, and says so to nobody.
_IN_ERROR = 3


class Guard:
    """Stand over the transaction of *session* from now on.

    *ended* says that a handler ended it, *lost* that the database did, *error* is the last error
    with which it is worth to begin anew.
    """

    def __init__(self, session: Session, connection: Connection) -> None:
        self.session = session
        self.connection = connection
        self.ended = False
        self.lost = False
        self.error: BaseException | None = None
        self._transaction = session.get_transaction()
        self._root = connection.get_transaction()

    def owns(self, transaction: SessionTransaction) -> bool:
        """Say whether *transaction* is the one that was begun for the handlers."""
        return transaction is self._transaction

    def has_ended(self) -> bool:
        """Say whether a handler has ended the transaction, by whatever call."""
        if self.ended or self.session.get_transaction() is not self._transaction:
            return True

        # Inactive below, but not in the session: somebody spoke to the connection itself.
        return bool(
            self._root
            and not self._root.is_active
            and self._transaction
            and self._transaction.is_active
            and not self.lost
        )

    def check(self) -> None:
        """Write what the handlers left to be written; raise `HandlerError` if it cannot last."""
        if self.has_ended():
            raise _ended()

        self.session.flush()

        if self.has_lost():
            raise _lost() from self.error

    def has_lost(self) -> bool:
        """Say whether the database has given up the transaction, or would not commit it."""
        if self.lost or self._transaction is None or not self._transaction.is_active:
            return True

        driver = self.connection.connection.dbapi_connection
        dialect = self.connection.dialect.name

        if dialect == "sqlite":
            return not getattr(driver, "in_transaction", True)

        if dialect == "postgresql":
            status = getattr(getattr(driver, "info", None), "transaction_status", None)

            if status is None:
                # No driver that would tell: a statement fails where a COMMIT would not.
                self.connection.exec_driver_sql("SELECT 1")

            return bool(status == _IN_ERROR)

        return False


#: The engines that we listen to.
_watched: WeakSet[Engine] = WeakSet()

_guard: ContextVar[Guard | None] = ContextVar("spayon_guard", default=None)


def watch_handlers(session: scoped_session[Any]) -> None:
    """Notice from now on what handlers do to *session*; watching twice does no harm."""
    for name, listener in (
        ("before_commit", _refuse_commit),
        ("after_soft_rollback", _refuse_rollback),
    ):
        if not event.contains(session, name, listener):
            event.listen(session, name, listener)


@contextmanager
def handlers_only(session: Session, connection: Connection) -> Iterator[None]:
    """Run the shop's handlers; raise `HandlerError` where they fail or end the transaction."""
    # First, since it asks for the transaction, as a handler may that is about to commit.
    guard = Guard(session, connection)
    _watch_engine(connection.engine)
    listen_for_commit(connection, _refuse_connection_commit)
    token = _guard.set(guard)

    try:
        yield
        guard.check()

    except HandlerError:
        raise

    except Exception as error:  # noqa: BLE001  raised again, from what began it
        raise HandlerError(f"the handler failed with {type(error).__name__}") from (
            guard.error or error
        )

    finally:
        _guard.reset(token)


def _watch_engine(engine: Engine) -> None:
    # To ask SQLAlchemy each time whether we listen takes longer than the rest of the guard. This
    # event costs a shop's other statements nothing, unlike those of its connections.
    if engine not in _watched:
        event.listen(engine, "handle_error", _note_error)
        _watched.add(engine)


def _ended() -> HandlerError:
    return HandlerError(
        "the handler ended the transaction: it must neither commit, roll back nor close "
        "db.session, because its work and the record of the payment are committed together"
    )


def _lost() -> HandlerError:
    return HandlerError(
        "the handler went on after an error by which the database gave up the transaction: let "
        "such an error out, or try what may fail inside `with db.session.begin_nested()`"
    )


def _refuse_commit(session: Session) -> None:
    guard = _guard.get()

    # A savepoint is the handler's own affair, and so is a session of its own.
    if guard is None or session.in_nested_transaction():
        return

    if session is guard.session or guard.has_ended():
        guard.ended = True
        raise _ended()


def _refuse_rollback(_: Session, previous: SessionTransaction) -> None:
    guard = _guard.get()

    if guard is not None and guard.owns(previous):
        guard.ended = True
        raise _ended()


def _refuse_connection_commit(connection: Connection) -> None:
    guard = _guard.get()

    if guard is not None and connection is guard.connection:
        guard.ended = True
        raise _ended()


def _note_error(context: ExceptionContext) -> None:
    guard = _guard.get()
    error = context.sqlalchemy_exception

    if guard is None or context.connection is not guard.connection or not is_transient(error):
        return

    guard.error = error
    guard.lost = guard.lost or loses_transaction(error)
