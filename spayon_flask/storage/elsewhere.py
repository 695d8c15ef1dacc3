"""Elsewhere: what a handler writes through another session or connection than ours."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from dataclasses import field
from weakref import WeakSet

from sqlalchemy import Connection
from sqlalchemy import event
from sqlalchemy import inspect
from sqlalchemy.orm import Session
from sqlalchemy.orm import SessionTransaction

from .writes import open_transaction
from .writes import owner_of


class _Used(threading.local):
    def __init__(self) -> None:
        self.sessions: WeakSet[Session] = WeakSet()


#: The sessions that this thread has used.
used = _Used()


@event.listens_for(Session, "after_transaction_create")
def _note_session(session: Session, _: SessionTransaction) -> None:
    used.sessions.add(session)


@dataclass
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
