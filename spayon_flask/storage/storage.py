"""Storage: where the payments of one vendor account are kept; the only writer of the two tables."""

from __future__ import annotations

import os
import weakref
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING
from typing import Any

from ..handlers import Handlers
from ..models import CallbackMixin
from ..models import PaymentMixin
from .checkouts import Checkouts
from .creations import Creations
from .outbox import Outbox
from .queries import Queries
from .recording import Recorder
from .schedule import Schedule
from .status import StatusWriter
from .transactions import Database
from .transactions import Part
from .transactions import Source


if TYPE_CHECKING:
    from .backfill import Backfill
    from .ledger import Ledger
    from .pruning import Pruning
    from .reviews import Notes
    from .reviews import Reviews
    from .totals import Totals


class Storage(Part):
    """The parts through which the payments of *account* are read and written.

    Every part works through the shop's own `db.session`: *db* is its `SQLAlchemy` object. Each
    method of a part that writes commits, and raises `UncommittedChangesError` if that session holds
    changes. *interval* lies at least between two status calls for one payment.
    """

    def __init__(
        self,
        account: str,
        db: Database,
        payment_class: type[PaymentMixin],
        callback_class: type[CallbackMixin],
        handlers: Handlers,
        interval: timedelta,
    ) -> None:
        source = Source(account, db, payment_class, callback_class)
        super().__init__(source)
        self._status = status = StatusWriter(source, handlers)
        #: What stands in the tables.
        self.queries = Queries(source)
        #: The dispatcher's rows, and the signals.
        self.outbox = Outbox(source, handlers, self.queries)
        #: The one way in for reports.
        self.recorder = Recorder(source, status, self.outbox)
        #: Which payment holds an order.
        self.checkouts = Checkouts(source, handlers)
        #: What became of the creation of a payment session.
        self.creations = Creations(source, self.checkouts)
        #: Whom to ask Spayon about, and when.
        self.schedule = Schedule(source, status, self.outbox, interval)

    # What only people use is imported at its first use: a worker that takes callbacks never does.

    @cached_property
    def reviews(self) -> Reviews:
        """What a person decides."""
        from .reviews import Reviews  # noqa: PLC0415  on demand

        return Reviews(self.source, self._status, self.outbox, self.queries)

    @cached_property
    def ledger(self) -> Ledger:
        """Payments as the shop's people look for them."""
        from .ledger import Ledger  # noqa: PLC0415  on demand

        return Ledger(self.source)

    @cached_property
    def totals(self) -> Totals:
        """How many they are, and how much they make."""
        from .totals import Totals  # noqa: PLC0415  on demand

        return Totals(self.source)

    @cached_property
    def notes(self) -> Notes:
        """What people write down beside the rows."""
        from .reviews import Notes  # noqa: PLC0415  on demand

        return Notes(self.source)

    @cached_property
    def backfill(self) -> Backfill:
        """Columns that an earlier release did not have."""
        from .backfill import Backfill  # noqa: PLC0415  on demand

        return Backfill(self.source)

    @cached_property
    def pruning(self) -> Pruning:
        """Old rows."""
        from .pruning import Pruning  # noqa: PLC0415  on demand

        return Pruning(self.source)

    @property
    def writes_side_by_side(self) -> bool:
        """Whether several transactions may write at the same time, which SQLite cannot."""
        return self.connect().dialect.name != "sqlite"


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
