"""OwnTransaction: one that begins without the shop's session, which may join it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Mapper
from sqlalchemy.orm import Session


class OwnTransaction:
    """A transaction on *connection*, where the tables of *mapper* are.

    A session takes as long as a statement, and only the shop's handlers have a use for it. So it
    joins when they are next, and from then on the transaction is the session's like any other.
    Where the shop has changed how its session begins, the session is there from the beginning.
    """

    def __init__(self, session: Session, mapper: Mapper[Any]) -> None:
        self._session = session
        bind = session.get_bind(mapper=mapper)
        alone = not _is_changed(session)
        self._own = bind.connect() if alone and isinstance(bind, Engine) else None
        self._joined = self._own is None
        self.connection = self._own or session.connection(bind_arguments={"mapper": mapper})

    def join(self) -> None:
        """Make the transaction that of the session, whose commit and rollback end it."""
        if self._joined:
            return

        self._joined = True
        mode = self._session.join_transaction_mode
        self._session.join_transaction_mode = "control_fully"

        try:
            self._session.connection(bind_arguments={"bind": self.connection})

        finally:
            self._session.join_transaction_mode = mode

    def commit(self) -> None:
        """Commit, for the session too where it has joined."""
        if self._joined:
            self._session.commit()

        else:
            self.connection.commit()

    def close(self) -> None:
        """Give the connection back, rolled back where nobody has committed."""
        if self._own is None:
            return

        if self._joined and self._session.in_transaction():
            self._session.rollback()

        self._own.close()


def _is_changed(session: Session) -> bool:
    """Say whether *session* begins in a way of its own, which our statements need as well."""
    # A listener or an option may choose a tenant, a schema or an isolation level. SQLAlchemy 2.0
    # knows no such options.
    options = getattr(session, "execution_options", None)
    return bool(session.twophase or session.dispatch.after_begin or options)
