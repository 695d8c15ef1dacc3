"""Writes: what the shop's sessions have written and not yet committed."""

from __future__ import annotations

import re
from typing import Any
from weakref import WeakSet

from sqlalchemy import Connection
from sqlalchemy import Engine
from sqlalchemy import event
from sqlalchemy.orm import Session
from sqlalchemy.orm import SessionTransaction
from sqlalchemy.orm import scoped_session


#: In `session.info`: True while the open transaction has written something.
_WRITTEN = "spayon.written"

#: In `connection.info`: the `info` of the session that uses the connection.
_OWNER = "spayon.owner"

#: Statements that begin with one of these words write nothing that a commit would keep.
_READS = (
    *("SELECT", "WITH", "VALUES", "TABLE", "SHOW", "EXPLAIN", "DESCRIBE", "DESC", "ANALYZE"),
    *("PRAGMA", "SET", "USE", "DECLARE", "FETCH", "CLOSE"),
    *("BEGIN", "START", "SAVEPOINT", "RELEASE", "ROLLBACK", "COMMIT", "END", "ABORT", "XA"),
)

#: The first word of a statement, behind comments and parentheses.
_FIRST_WORD = re.compile(r"(?:\s|\(|/\*.*?\*/|--[^\n]*\n)*([a-zA-Z]+)", re.DOTALL)

#: A statement with a common table expression writes if one of its parts does. Locking reads say
#: FOR UPDATE or FOR NO KEY UPDATE.
_WRITING_PART = re.compile(r"\b(INSERT|DELETE|MERGE|(?<!FOR )(?<!KEY )UPDATE)\b", re.IGNORECASE)

_sessions: WeakSet[scoped_session[Any]] = WeakSet()
_engines: WeakSet[Engine] = WeakSet()


def watch(session: scoped_session[Any]) -> None:
    """Notice from now on what is written through *session*. Watching twice does no harm."""
    if session in _sessions:
        return

    event.listen(session, "after_begin", _note_begin)
    event.listen(session, "after_transaction_end", _note_end)
    _sessions.add(session)


def has_written(session: Session) -> bool:
    """Return True if the open transaction of *session* has written anything, by whatever call."""
    return bool(session.info.get(_WRITTEN))


def belongs_to(connection: Connection, session: Session) -> bool:
    """Return True if *session* uses *connection*."""
    return connection.info.get(_OWNER) is session.info


def first_word(statement: str) -> str:
    """Return the first word of *statement*, in upper case."""
    found = _FIRST_WORD.match(statement)
    return found[1].upper() if found else ""


def writes(statement: str) -> bool:
    """Return True if *statement* writes something, as far as its text tells."""
    word = first_word(statement)
    return bool(_WRITING_PART.search(statement)) if word == "WITH" else word not in _READS


def _note_begin(session: Session, _: SessionTransaction, connection: Connection) -> None:
    connection.info[_OWNER] = session.info
    engine = connection.engine

    # SQLAlchemy takes longer to tell if we listen already.
    if engine not in _engines:
        event.listen(engine, "before_cursor_execute", _note_statement)
        _engines.add(engine)


def _note_end(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        session.info.pop(_WRITTEN, None)


def _note_statement(
    connection: Connection, _cursor: object, statement: str, *_more: object
) -> None:
    owner = connection.info.get(_OWNER)

    if owner is not None and not owner.get(_WRITTEN) and writes(statement):
        owner[_WRITTEN] = True
