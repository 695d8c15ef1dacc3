"""Storage: where the payments of one vendor account are kept; the only writer of the two tables."""

from __future__ import annotations

import os
import weakref
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..domain.handlers import Handlers
from .checkouts import Checkouts
from .outbox import Outbox
from .queries import Queries
from .recording import Recorder
from .schedule import Schedule
from .status import StatusWriter
from .transactions import Part, Source

if TYPE_CHECKING:
    from .decisions import Decisions
    from .inspection import Inspection
    from .ledger import Ledger
    from .pruning import Pruning


class Storage(Part):
    """The parts through which the payments of *source* are read and written.

    Every part works through the shop's own `db.session`. Each method of a part that writes commits,
    and raises `UncommittedChangesError` if that session holds changes. *interval* lies at least
    between two status calls for one payment.
    """

    def __init__(self, source: Source, handlers: Handlers, interval: timedelta) -> None:
        super().__init__(source)
        self._status = status = StatusWriter(source, handlers)
        #: What stands in the tables.
        self.queries = Queries(source)
        #: The dispatcher's rows, and the signals.
        self.outbox = Outbox(source, handlers, self.queries)
        #: The one way in for reports.
        self.recorder = Recorder(source, status, self.outbox)
        #: Which payment holds an order.
        self.checkouts = Checkouts(source, handlers, self.queries)
        #: Whom to ask Spayon about, and when.
        self.schedule = Schedule(source, status, self.outbox, interval)

    # What only people use is imported at its first use: a worker that takes callbacks never does.

    @cached_property
    def decisions(self) -> Decisions:
        """What people decide and note."""
        from .decisions import Decisions  # noqa: PLC0415  on demand

        return Decisions(self.source, self._status, self.outbox, self.queries)

    @cached_property
    def inspection(self) -> Inspection:
        """Whether the tables are as they should be, and what waits."""
        from .inspection import Inspection  # noqa: PLC0415  on demand

        return Inspection(self.source)

    @cached_property
    def ledger(self) -> Ledger:
        """Payments as the shop's people look for them, and what they add up to."""
        from .ledger import Ledger  # noqa: PLC0415  on demand

        return Ledger(self.source)

    @cached_property
    def pruning(self) -> Pruning:
        """Old rows."""
        from .pruning import Pruning  # noqa: PLC0415  on demand

        return Pruning(self.source)


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
