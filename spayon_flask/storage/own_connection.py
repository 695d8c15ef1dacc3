"""OwnConnection: a connection whose commits are listened for at next to no cost."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection
from sqlalchemy import event
from sqlalchemy.engine import RootTransaction


class OwnConnection(Connection):
    """A connection like any other, to which `listen_for_commit` comes cheap.

    SQLAlchemy takes as long to add a listener as to execute a statement, and next to no handler
    ever reaches for the connection behind `db.session`. So it is added for one that does.
    """

    listener: Callable[[Connection], None] | None = None

    def commit(self) -> None:
        """Commit; see SQLAlchemy."""
        self._listen()
        super().commit()

    def get_transaction(self) -> RootTransaction | None:
        """Return the transaction, which has a commit of its own; see SQLAlchemy."""
        self._listen()
        return super().get_transaction()

    def _listen(self) -> None:
        if self.listener is not None:
            event.listen(self, "commit", self.listener)
            self.listener = None


def listen_for_commit(connection: Connection, listener: Callable[[Connection], None]) -> None:
    """Call *listener* ahead of each commit of *connection*, by whatever call."""
    if isinstance(connection, OwnConnection):
        connection.listener = listener

    else:
        event.listen(connection, "commit", listener)
