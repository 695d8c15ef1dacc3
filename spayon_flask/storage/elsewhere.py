"""Elsewhere: what a handler writes through another session or connection than ours."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from weakref import WeakSet

from sqlalchemy import Connection
from sqlalchemy import event
from sqlalchemy import inspect
from sqlalchemy.orm import Session
from sqlalchemy.orm import SessionTransaction

from .writes import open_transaction
from .writes import owner_of


class Elsewhere:
    """Watch all sessions and connections but *session* from now on, in this thread."""

    def __init__(self, session: Session) -> None:
        self._session = session
        # What the shop has left there before is none of the handler's.
        self._left_before = set(self._with_changes())
        self._written: WeakSet[Connection] = WeakSet()
        self._closed: set[object] = set()
        self._forgot_changes = False

    def loses_something(self) -> bool:
        """Return True if a handler has written something that nobody will commit."""
        return bool(
            self._forgot_changes
            or self._closed
            or self._written
            or set(self._with_changes()) - self._left_before
        )

    def note_write(self, connection: Connection) -> None:
        """Note that something is written through *connection*."""
        self._written.add(connection)

    def note_end(self, connection: Connection, *, committed: bool) -> None:
        """Note that what was written through *connection* is committed, or undone."""
        if connection in self._written:
            self._written.discard(connection)

            # A session that is closed undoes what was written, and nobody has asked for that.
            if not committed and (owner := owner_of(connection)) is not None:
                self._closed.add(owner)

    def note_rollback(self, session: Session) -> None:
        """Note that a handler rolls *session* back, as it may."""
        self._closed.discard(open_transaction(session))

    def note_error(self, connection: Connection | None) -> None:
        """Note that a statement has failed on *connection*: nothing is written by it."""
        if connection is not None:
            self._written.discard(connection)

    def note_session(self, session: Session) -> None:
        """Note that a handler begins to use *session*."""
        if session is not self._session:
            for name in ("persistent_to_detached", "pending_to_transient"):
                event.listen(session, name, self._note_forgotten)

    def _note_forgotten(self, session: Session, instance: object) -> None:
        if session.in_transaction() and inspect(instance).modified:
            self._forgot_changes = True

    def _with_changes(self) -> Iterator[Session]:
        for session in list(_sessions()):
            if session is not self._session and (session.new or session.dirty or session.deleted):
                yield session


_local = threading.local()


def _sessions() -> WeakSet[Session]:
    """Return the sessions that this thread has used."""
    if not hasattr(_local, "sessions"):
        _local.sessions = WeakSet()

    sessions: WeakSet[Session] = _local.sessions
    return sessions


@event.listens_for(Session, "after_transaction_create")
def _note_session(session: Session, _: SessionTransaction) -> None:
    _sessions().add(session)
