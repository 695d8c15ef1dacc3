"""Writes: what the shop's sessions have written and not yet committed."""

from __future__ import annotations

from weakref import WeakSet

from sqlalchemy import Connection
from sqlalchemy import Engine
from sqlalchemy import event
from sqlalchemy.exc import UnboundExecutionError
from sqlalchemy.orm import Session
from sqlalchemy.orm import SessionTransaction

from ..errors import UncommittedChangesError
from .statements import writes


#: In `session.info`: what is known of the open transaction.
_OPEN = "spayon.transaction"

#: In `connection.info`: the same, of the session that uses the connection, or used it last.
_OWNER = "spayon.owner"

_engines: WeakSet[Engine] = WeakSet()


class _Transaction:
    """A transaction of a session: is it open, and has it written anything?"""

    def __init__(self) -> None:
        self.is_open = True
        self.has_written = False


def holds_changes(session: Session) -> bool:
    """Return True if *session* has changes that a commit would keep, written or not.

    What was written counts by whatever call it was written.
    """
    known: _Transaction | None = session.info.get(_OPEN)
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
    """End a transaction in which *session* has only read.

    A test suite may have begun a transaction around the session. A rollback would undo that one as
    well, with all that the test has prepared.
    """
    try:
        is_inside_another = isinstance(session.get_bind(), Connection)

    except UnboundExecutionError:
        is_inside_another = False

    if is_inside_another:
        session.commit()
        session.expire_all()

    else:
        session.rollback()


def owner_of(connection: Connection) -> object | None:
    """Return what stands for the open transaction that *connection* is part of, or None."""
    owner = connection.info.get(_OWNER)
    return owner if owner is not None and owner.is_open else None


def open_transaction(session: Session) -> object | None:
    """Return what stands for the open transaction of *session*, or None."""
    return session.info.get(_OPEN)


def belongs_to(connection: Connection, session: Session) -> bool:
    """Return True if *session* uses *connection*."""
    return owner_of(connection) is not None and owner_of(connection) is open_transaction(session)


# Every session, whenever it was made: a shop may replace `db.session` after `init_app`.
@event.listens_for(Session, "after_begin")
def _note_begin(session: Session, _: SessionTransaction, connection: Connection) -> None:
    connection.info[_OWNER] = session.info.setdefault(_OPEN, _Transaction())
    engine = connection.engine

    # SQLAlchemy takes longer to tell if we listen already.
    if engine not in _engines:
        event.listen(engine, "before_cursor_execute", _note_statement)
        _engines.add(engine)


@event.listens_for(Session, "after_transaction_end")
def _note_end(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None and (known := session.info.pop(_OPEN, None)) is not None:
        # The pool may hand the connection to somebody else.
        known.is_open = False


def _note_statement(
    connection: Connection, _cursor: object, statement: str, *_more: object
) -> None:
    owner = connection.info.get(_OWNER)

    if owner is not None and owner.is_open and not owner.has_written:
        owner.has_written = writes(statement)
