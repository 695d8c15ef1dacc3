"""OwnTransaction: one that begins without the shop's session, which may join it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection
from sqlalchemy import Engine
from sqlalchemy.orm import Mapper
from sqlalchemy.orm import Session

from .own_connection import OwnConnection
from .sessions import Sessions


class OwnTransaction:
    """A transaction on *connection*, where the tables of *mapper* are.

    A session takes as long as a statement, and only the shop's handlers have a use for it. So it
    joins when they are next, and from then on the transaction is the session's like any other.
    Where the shop has changed how its session begins, the session is there from the beginning.
    """

    def __init__(self, sessions: Sessions, mapper: Mapper[Any]) -> None:
        self._sessions = sessions
        self._session: Session | None = None
        sample = sessions.sample()
        self._own = _connect_alone(sample, sample.get_bind(mapper=mapper))

        if self._own is not None:
            self.connection: Connection = self._own

        else:
            self._session = sessions.get()
            self.connection = self._session.connection(bind_arguments={"mapper": mapper})

    def join(self) -> Session:
        """Return the session; the transaction is its own, which its commit and rollback end."""
        if self._session is not None:
            return self._session

        self._session = session = self._sessions.get()
        mode = session.join_transaction_mode
        session.join_transaction_mode = "control_fully"

        try:
            session.connection(bind_arguments={"bind": self.connection})

        finally:
            session.join_transaction_mode = mode

        return session

    def commit(self) -> None:
        """Commit, for the session too where it has joined."""
        (self._session or self.connection).commit()

    def close(self) -> None:
        """Give the connection back, rolled back where nobody has committed."""
        if self._session is not None and self._session.in_transaction():
            self._session.rollback()

        if self._own is not None:
            self._own.close()


def _connect_alone(session: Session, bind: Engine | Connection) -> OwnConnection | None:
    """Return a connection of ours; None where our statements need *session* from the beginning."""
    # A listener or an option may choose a tenant, a schema or an isolation level. SQLAlchemy 2.0
    # knows no such options.
    options = getattr(session, "execution_options", None)
    is_changed = session.twophase or session.dispatch.after_begin or options

    # An engine of the shop's own class may make connections of a class of their own.
    return OwnConnection(bind) if type(bind) is Engine and not is_changed else None
