"""Transactions: one way to run our statements in the shop's `db.session`."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Concatenate
from typing import ParamSpec
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import IntegrityError
from sqlalchemy.exc import UnboundExecutionError
from sqlalchemy.orm import Session

from ..errors import HandlerError
from ..errors import UncommittedChangesError
from .drivers import is_transient
from .part import Part
from .writes import has_written


_Owner = TypeVar("_Owner", bound=Part)
_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")

#: A transaction that lost against another one is tried at most this many times in all.
MAX_TRIES = 5

#: No further try begins after this many seconds, half of what gunicorn gives a request: a worker
#: must not wait for a lock again and again. A server that has crashed is back by then, as a rule.
MAX_SECONDS = 15.0


class LostRaceError(Exception):
    """Another transaction changed what ours was decided upon."""


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


def begin_clean(session: Session) -> None:
    """End a transaction in which *session* has only read, so that the next one sees the present.

    Raises `UncommittedChangesError` if *session* holds changes, written or not.
    """
    # A session without a transaction holds no change.
    if not session.in_transaction():
        return

    if holds_changes(session):
        raise UncommittedChangesError(
            "db.session holds changes, which this call would commit: commit them or roll them back "
            "first"
        )

    end_reading(session)


def end_reading(session: Session) -> None:
    """End a transaction in which *session* has only read.

    A test suite may have begun a transaction around the session. A rollback would undo that one as
    well, with all that the test has prepared.
    """
    if _is_inside_another(session):
        session.commit()
        session.expire_all()

    else:
        session.rollback()


def _is_inside_another(session: Session) -> bool:
    try:
        return isinstance(session.get_bind(), Connection)

    except UnboundExecutionError:
        return False


def holds_changes(session: Session) -> bool:
    """Return True if *session* has changes that a commit would keep, written or not."""
    return bool(has_written(session) or session.new or session.dirty or session.deleted)


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
