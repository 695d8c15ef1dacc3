"""Sessions: the shop's `db.session`, made only for those who have a use for it."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session
from sqlalchemy.orm import scoped_session
from sqlalchemy.orm import sessionmaker


#: Where Flask-SQLAlchemy has the class of a session that the shop has not changed.
_PLAIN = "flask_sqlalchemy.session"


class Sessions:
    """The sessions that *scoped* makes, one for each app context.

    To make one and to end it takes a tenth of what we do for a repeated report, which needs it only
    to learn which database is the shop's. Any other of its class and options says the same.
    """

    def __init__(self, scoped: scoped_session[Any]) -> None:
        self._scoped = scoped
        self._sample: Session | None = None
        self._options: dict[str, Any] = {}

    def get(self) -> Session:
        """Return the session of this app context, made where there is none yet."""
        session: Session = self._scoped()
        return session

    def current(self) -> Session | None:
        """Return the session of this app context, or None where there is none yet."""
        return self.get() if self._scoped.registry.has() else None

    def sample(self) -> Session:
        """Return a session to ask, and for nothing else: this context's, or one just like it."""
        factory: Any = self._scoped.session_factory
        is_plain = (
            isinstance(factory, sessionmaker) and factory.class_.__base__.__module__ == _PLAIN
        )

        # A class of the shop's own may choose anew in each session that it makes.
        if not is_plain or self._scoped.registry.has():
            return self.get()

        if self._sample is None or self._options != factory.kw:
            options = dict(factory.kw)
            self._sample = factory()
            self._options = options

        return self._sample
