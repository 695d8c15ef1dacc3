"""Transactions: the shop's `db.session`, kept honest while we write through it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from typing import TypeVar

from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import PendingRollbackError
from sqlalchemy.orm import ORMExecuteState
from sqlalchemy.orm import Session
from sqlalchemy.orm import SessionTransaction
from sqlalchemy.orm import scoped_session

from ..errors import HandlerError
from ..errors import UncommittedChangesError


_T = TypeVar("_T")

#: A transaction that lost against another one begins anew at most this many times.
MAX_TRIES = 5

_WRITTEN = "spayon.written"

#: PostgreSQL: serialization failure, deadlock, lock not available.
_SQLSTATES = ("40001", "40P01", "55P03")

#: MariaDB: lock wait time-out.
_STATEMENT_ERRNOS = (1205,)

#: MariaDB: deadlock, record has changed since last read. It rolls back all of the transaction, and
#: lets the next statement begin another.
_TRANSACTION_ERRNOS = (1213, 1020)


class LostRaceError(Exception):
    """Another transaction changed what ours was decided upon."""


def watch(session: scoped_session[Any]) -> None:
    """Notice from now on what the shop writes through *session*; watching twice does no harm."""
    for name, listener in (
        ("after_flush", _note_flush),
        ("do_orm_execute", _note_statement),
        ("after_transaction_end", _forget),
    ):
        if not event.contains(session, name, listener):
            event.listen(session, name, listener)


def begin_clean(session: Session) -> None:
    """Leave whatever *session* has only read; what follows sees the present.

    Raises `UncommittedChangesError` where it holds changes.
    """
    # There is no change, flushed or not, for which it would not have begun one.
    if not session.in_transaction():
        return

    if session.info.get(_WRITTEN) or session.new or session.dirty or session.deleted:
        raise UncommittedChangesError(
            "db.session holds changes, which this call would commit: commit them or roll them back "
            "first"
        )

    session.rollback()


def with_retries(session: Session, work: Callable[[], _T]) -> _T:
    """Return what *work* returns, begun anew where another transaction stood in its way.

    Whatever happens, *session* is left without an open transaction.
    """
    return with_retries_in(lambda: session, work)


def with_retries_in(current: Callable[[], Session | None], work: Callable[[], _T]) -> _T:
    """Do as `with_retries`, where *work* may be the one who makes the session."""
    session = current()

    if session is not None:
        begin_clean(session)

    for left in reversed(range(MAX_TRIES)):
        try:
            return work()

        except LostRaceError:
            if not left:
                raise

        except DBAPIError as error:
            if not left or not is_transient(error):
                raise

        except HandlerError as error:
            if not left or not is_transient(error.__cause__):
                raise

        finally:
            session = current()

            if session is not None and session.in_transaction():
                session.rollback()

    raise AssertionError("unreachable")


def is_transient(error: BaseException | None) -> bool:
    """Say whether the same transaction may well succeed when it is begun anew."""
    if isinstance(error, PendingRollbackError):
        return is_transient(error.__context__)

    if not isinstance(error, DBAPIError):
        return False

    return (
        loses_transaction(error)
        or _sqlstate(error) in _SQLSTATES
        or _errno(error) in _STATEMENT_ERRNOS
        or "database is locked" in str(error.orig)
    )


def loses_transaction(error: BaseException | None) -> bool:
    """Say whether the database drops what was written before *error*, without another word."""
    return isinstance(error, DBAPIError) and (
        error.connection_invalidated or _errno(error) in _TRANSACTION_ERRNOS
    )


def _sqlstate(error: DBAPIError) -> object:
    # As psycopg calls it, and psycopg2; pg8000 has it in what the server said.
    said = _first_argument(error)
    return (
        getattr(error.orig, "sqlstate", None)
        or getattr(error.orig, "pgcode", None)
        or (said.get("C") if isinstance(said, dict) else None)
    )


def _errno(error: DBAPIError) -> object:
    # As MySQL's own connector and MariaDB's call it; the others have it in front.
    return getattr(error.orig, "errno", None) or _first_argument(error)


def _first_argument(error: DBAPIError) -> object:
    arguments: tuple[object, ...] = getattr(error.orig, "args", ())
    return arguments[0] if arguments else None


def _note_flush(session: Session, _: object) -> None:
    session.info[_WRITTEN] = True


def _note_statement(state: ORMExecuteState) -> None:
    if state.is_insert or state.is_update or state.is_delete:
        state.session.info[_WRITTEN] = True


def _forget(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        session.info.pop(_WRITTEN, None)
