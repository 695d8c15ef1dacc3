"""Transactions: the shop's `db.session`, kept honest while we write through it."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
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
_HANDLER = "spayon.handler"

#: PostgreSQL: serialization failure, deadlock, lock not available.
_SQLSTATES = ("40001", "40P01", "55P03")

#: MariaDB: lock wait time-out, deadlock, record has changed since last read.
_ERRNOS = (1205, 1213, 1020)


class LostRaceError(Exception):
    """Another transaction changed what ours was decided upon."""


def watch(session: scoped_session[Any]) -> None:
    """Notice from now on what the shop writes through *session*; watching twice does no harm."""
    for name, listener in (
        ("after_flush", _note_flush),
        ("do_orm_execute", _note_statement),
        ("after_transaction_end", _forget),
        ("before_commit", _refuse_commit),
        ("after_soft_rollback", _refuse_rollback),
    ):
        if not event.contains(session, name, listener):
            event.listen(session, name, listener)


def begin_clean(session: Session) -> None:
    """Leave whatever *session* has only read; what follows sees the present.

    Raises `UncommittedChangesError` where it holds changes.
    """
    if session.info.get(_WRITTEN) or session.new or session.dirty or session.deleted:
        raise UncommittedChangesError(
            "db.session holds changes, which this call would commit: commit them or roll them back "
            "first"
        )

    if session.in_transaction():
        session.rollback()


def with_retries(session: Session, work: Callable[[], _T]) -> _T:
    """Return what *work* returns, begun anew where another transaction stood in its way.

    Whatever happens, *session* is left without an open transaction.
    """
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
            if session.in_transaction():
                session.rollback()

    raise AssertionError("unreachable")


def is_transient(error: BaseException | None) -> bool:
    """Say whether the same transaction may well succeed when it is begun anew."""
    if isinstance(error, PendingRollbackError):
        return is_transient(error.__context__)

    if not isinstance(error, DBAPIError):
        return False

    original = error.orig
    arguments: tuple[object, ...] = getattr(original, "args", ())
    return (
        error.connection_invalidated
        or getattr(original, "sqlstate", None) in _SQLSTATES
        or (bool(arguments) and arguments[0] in _ERRNOS)
        or "database is locked" in str(original)
    )


@contextmanager
def handlers_only(session: Session) -> Iterator[None]:
    """Run the shop's handlers; raise `HandlerError` where they fail or end the transaction."""
    began = session.get_transaction()
    session.info[_HANDLER] = began

    try:
        yield
        session.flush()

    except HandlerError:
        raise

    except Exception as error:
        raise HandlerError(f"the handler failed with {type(error).__name__}") from error

    finally:
        ended = (
            session.info.pop(_HANDLER, None) is not began or session.get_transaction() is not began
        )

    if ended:
        raise _ended()


def _ended() -> HandlerError:
    return HandlerError(
        "the handler ended the transaction: it must neither commit, roll back nor close "
        "db.session, because its work and the record of the payment are committed together"
    )


def _refuse_commit(session: Session) -> None:
    # A savepoint is the handler's own affair.
    if session.info.get(_HANDLER) is not None and not session.in_nested_transaction():
        session.info[_HANDLER] = None
        raise _ended()


def _refuse_rollback(session: Session, previous: SessionTransaction) -> None:
    if session.info.get(_HANDLER) is previous:
        session.info[_HANDLER] = None
        raise _ended()


def _note_flush(session: Session, _: object) -> None:
    session.info[_WRITTEN] = True


def _note_statement(state: ORMExecuteState) -> None:
    if state.is_insert or state.is_update or state.is_delete:
        state.session.info[_WRITTEN] = True


def _forget(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        session.info.pop(_WRITTEN, None)
