"""Writes: what statements and the shop's sessions write, in our transaction and elsewhere."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from dataclasses import field
from weakref import WeakSet

from sqlalchemy import Connection
from sqlalchemy import Engine
from sqlalchemy import event
from sqlalchemy import inspect
from sqlalchemy.exc import UnboundExecutionError
from sqlalchemy.orm import Session
from sqlalchemy.orm import SessionTransaction

from ..errors import UncommittedChangesError


# Two patterns are compiled here, since every statement is compared with them. The others are for
# rare statements, and compiled at their first use.

#: Statements that begin with one of these words write nothing that a commit would keep.
_READS = (
    *("SELECT", "VALUES", "TABLE", "SHOW", "DESCRIBE", "DESC", "HELP"),
    *("PRAGMA", "SET", "RESET", "USE", "DECLARE", "FETCH", "CLOSE", "DISCARD", "DEALLOCATE"),
    *("BEGIN", "START", "SAVEPOINT", "RELEASE", "ROLLBACK", "COMMIT", "END", "ABORT", "XA"),
)

#: Statements that write if one of their parts does. Locking reads say FOR UPDATE or FOR NO KEY
#: UPDATE.
_COMPOUND = ("WITH", "EXPLAIN", "ANALYZE")
_WRITING_PART = r"(?i)\b(INSERT|DELETE|MERGE|(?<!FOR )(?<!KEY )UPDATE)\b"

#: The first word of a statement, behind comments and parentheses. What stands in `/*! */` or
#: `/*M! */` is no comment for MariaDB.
_FIRST_WORD = re.compile(r"(?:\s|\(|/\*(?!M?!).*?\*/|--[^\n]*\n)*([a-zA-Z]+)", re.DOTALL)

#: Statements that end a transaction on every database.
_ENDING = ("COMMIT", "ROLLBACK", "BEGIN", "START", "END", "ABORT", "XA")
_TO_SAVEPOINT = r"(?i)ROLLBACK\s+(WORK\s+|TRANSACTION\s+)?TO\b"
_TWO_PHASES = r"(?i)PREPARE\s+TRANSACTION\b"

#: Statements for which MariaDB commits first (its documentation, SQL statements that cause an
#: implicit commit). Temporary tables are excepted.
_COMMITTING = (
    *("CREATE", "ALTER", "DROP", "TRUNCATE", "RENAME", "GRANT", "REVOKE"),
    *("LOCK", "UNLOCK", "ANALYZE", "OPTIMIZE", "REPAIR", "CHECK", "CACHE", "FLUSH", "RESET"),
    *("INSTALL", "UNINSTALL", "STOP", "CHANGE", "BACKUP", "SHUTDOWN"),
)
_TEMPORARY = r"(?i)\w+\s+(OR\s+REPLACE\s+)?TEMPORARY\b"
_COMMITTING_SETTING = r"(?i)\bautocommit\b|^\s*SET\s+PASSWORD\b"

#: Statements of MariaDB that hide no COMMIT. CALL, EXECUTE, IF and LOOP may, for instance.
_PLAIN = (
    *("SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "WITH", "VALUES", "TABLE"),
    *("SHOW", "EXPLAIN", "DESCRIBE", "DESC", "HELP", "USE", "DO", "LOAD", "HANDLER"),
    *("SAVEPOINT", "RELEASE", "ROLLBACK", "SET", "PREPARE", "DEALLOCATE"),
    *("CREATE", "DROP"),
)
_SET_STATEMENT = r"(?i)SET\s+STATEMENT\b"

_SEVERAL = re.compile(r";\s*\S")

#: In `session.info`: what is known of the open transaction.
_OPEN = "spayon.transaction"

#: In `connection.info`: the same, of the session that uses the connection, or used it last.
_OWNER = "spayon.owner"

_engines: WeakSet[Engine] = WeakSet()


def first_word(statement: str) -> str:
    """Return the first word of *statement*, in upper case; an empty text if there is none."""
    found = _FIRST_WORD.match(statement)
    return found[1].upper() if found else ""


def writes(statement: str) -> bool:
    """Return True if *statement* writes something."""
    word = first_word(statement)
    return bool(re.search(_WRITING_PART, statement)) if word in _COMPOUND else word not in _READS


def ends_transaction(statement: str, dialect: str) -> bool:
    """Return True if *statement* ends the transaction in which it is executed."""
    word = first_word(statement)

    if word in _ENDING:
        return re.search(_TO_SAVEPOINT, statement) is None

    if word == "PREPARE" and dialect == "postgresql":
        return re.search(_TWO_PHASES, statement) is not None

    if dialect not in ("mysql", "mariadb"):
        return False

    if word == "SET":
        return re.search(_COMMITTING_SETTING, statement) is not None

    return word in _COMMITTING and not re.match(_TEMPORARY, statement.lstrip())


def may_end_transaction(statement: str, dialect: str) -> bool:
    """Return True if *statement* can hide another one that ends the transaction.

    PostgreSQL lets no procedure end a transaction around it, and SQLite has none. Both servers take
    several statements at once, depending on the driver.
    """
    if dialect == "sqlite":
        return False

    if _SEVERAL.search(statement):
        return True

    return dialect in ("mysql", "mariadb") and (
        first_word(statement) not in _PLAIN or bool(re.match(_SET_STATEMENT, statement.lstrip()))
    )


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


class _Used(threading.local):
    def __init__(self) -> None:
        self.sessions: WeakSet[Session] = WeakSet()


#: The sessions that this thread has used.
used = _Used()


@event.listens_for(Session, "after_transaction_create")
def _note_session(session: Session, _: SessionTransaction) -> None:
    used.sessions.add(session)


@dataclass(eq=False)
class Elsewhere:
    """What a handler has written elsewhere, and nobody has committed.

    *written* holds the connections, *closed* the transactions that were undone because their
    session was closed. *forgot_changes* is True if a session forgot what it had not yet written.
    """

    written: WeakSet[Connection] = field(default_factory=WeakSet)
    closed: set[object] = field(default_factory=set)
    forgot_changes: bool = False

    def note_write(self, connection: Connection) -> None:
        """Note that something is written through *connection*."""
        self.written.add(connection)

    def note_end(self, connection: Connection, *, committed: bool) -> None:
        """Note that what was written through *connection* is committed, or undone."""
        if connection in self.written:
            self.written.discard(connection)

            # A session that is closed undoes what was written, and nobody has asked for that.
            if not committed and (owner := owner_of(connection)) is not None:
                self.closed.add(owner)

    def note_rollback(self, session: Session) -> None:
        """Note that a handler rolls *session* back, as it may."""
        self.closed.discard(open_transaction(session))

    def note_error(self, connection: Connection | None) -> None:
        """Note that a statement has failed on *connection*: nothing is written by it."""
        if connection is not None:
            self.written.discard(connection)

    def note_session(self, session: Session) -> None:
        """Note that a handler begins to use *session*, another one than ours."""
        for name in ("persistent_to_detached", "pending_to_transient"):
            event.listen(session, name, self._note_forgotten)

    def _note_forgotten(self, session: Session, instance: object) -> None:
        if session.in_transaction() and inspect(instance).modified:
            self.forgot_changes = True
