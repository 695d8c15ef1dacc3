"""Forks: a server that forks after the app was made, as gunicorn does with `--preload`."""

from __future__ import annotations

import os
import weakref
from typing import Any


def forget_connections_after_fork(app: Any, db: Any) -> None:
    """Let a forked child of this process open connections of its own to the databases of *app*.

    gunicorn's `--preload` forks after the factory has run. If the factory has asked the database
    anything, all workers would speak through one and the same connection, and read each other's
    answers.
    """
    the_app, the_db = weakref.ref(app), weakref.ref(db)

    def forget() -> None:
        app, db = the_app(), the_db()

        if app is None or db is None or "sqlalchemy" not in app.extensions:
            return

        with app.app_context():
            for engine in db.engines.values():
                # A database in memory is in its connection; the child has a copy of both.
                if engine.url.database not in (None, "", ":memory:"):
                    engine.dispose(close=False)

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=forget)
