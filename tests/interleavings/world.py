"""World: one shop, one gateway and their clock, which are put back to a kept moment."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from unittest import mock

from sqlalchemy import MetaData, StaticPool, Table, create_engine, event, text
from urllib3 import HTTPConnectionPool

from spayon_flask.signals import gateway_called, payment_paid, report_received
from tests.databases import MEMORY, Databases
from tests.interleavings import habits
from tests.interleavings.gateway import Gateway
from tests.interleavings.locks import Locks
from tests.interleavings.log import create_log
from tests.interleavings.turns import Operation, Turns
from tests.kept import dispose
from tests.promises.helpers import fast_forward
from tests.shop import Clock, Shop, make_shop

if TYPE_CHECKING:
    from typing_extensions import Self


#: What the shop itself keeps. A natural handler copies the payment's status to its order.
TABLES = (
    "CREATE TABLE goods (order_id VARCHAR(40), payment_id BIGINT, price VARCHAR(40))",
    "CREATE TABLE order_state (order_id VARCHAR(40) PRIMARY KEY, state VARCHAR(20))",
    "CREATE TABLE told (payment_id BIGINT, status VARCHAR(20))",
    *habits.TABLES,
)

#: SQLite rolls back by itself; PostgreSQL does so after any error, and MariaDB hardly ever.
_TRAP = (
    "CREATE TABLE trap (id INTEGER)",
    "CREATE TRIGGER sprung BEFORE INSERT ON trap BEGIN SELECT RAISE(ROLLBACK, 'full'); END",
)

#: In the order in which they can be filled.
NAMES = (
    "shop_order",
    "order_state",
    "spayon_payment",
    "spayon_callback",
    "goods",
    "told",
    "closed",
    "views",
    "status_log",
)

Rows = dict[str, list[dict[str, Any]]]

#: Speed for a database that is thrown away afterwards; it says nothing about locks.
_OPTIONS: dict[str, dict[str, Any]] = {
    "postgresql": {
        "connect_args": {"options": "-c synchronous_commit=off -c deadlock_timeout=100ms"}
    },
}

#: What a checkout sleeps for goes by so much faster, or each wait would be 150 steps long.
_FASTER = 60


class CrashError(BaseException):
    """The process ends here, as if it were killed."""


class SteppedClock(Clock):
    """A clock on which nobody sleeps: who would sleep lets the other operation go on instead."""

    turns: Turns | None = None

    def __call__(self) -> datetime:
        operation = None if self.turns is None else self.turns.current()
        return self.now + timedelta(seconds=operation.ahead if operation is not None else 0.0)

    def step(self, seconds: float) -> None:
        if self.turns is not None and self.turns.current() is not None:
            self.turns.stop("sleep", asleep=True)
            seconds *= _FASTER

        super().step(seconds)


@dataclass(frozen=True)
class Moment:
    """All that there is to put back."""

    rows: Rows
    sessions: dict[str, dict[str, Any]]
    now: datetime
    names: dict[str, str]


class World:
    """A shop on the database at *url*, with triggers that log, and a gateway that it pays by.

    *names* are the payment sessions that a starting state has made, by the part they play.
    """

    def __init__(self, url: str) -> None:
        clock = SteppedClock()
        self.gateway = Gateway(clock)
        self._locks = Locks(url)
        self.turns = Turns(self._locks.blocked)
        self.shop: Shop = make_shop(
            url,
            clock=clock,
            SPAYON_API_URL=self.gateway.url,
            SQLALCHEMY_ENGINE_OPTIONS=_OPTIONS.get(url.partition("+")[0], {}),
        )
        fast_forward(self.shop)
        clock.turns = self.turns
        self.names: dict[str, str] = {}
        #: What the dispatcher took: a callback row's id, and the status that it saw.
        self.dispatched: list[tuple[int, str]] = []
        #: What the shop's functions do at any time, and in an operation alone.
        self.habits: set[str] = set()
        self._habits_of: dict[Operation | None, set[str]] = {}
        self.other = create_engine(
            "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
        )
        self._side = create_engine(url)
        event.listen(self._side, "connect", _be_quick)
        self._around = ExitStack()
        self._prepare()

    def _prepare(self) -> None:
        shop = self.shop

        with self._side.begin() as connection:
            for statement in TABLES:
                name = statement.split()[2]
                connection.execute(text(f"DROP TABLE IF EXISTS {name}"))
                connection.execute(text(statement))

            if connection.dialect.name == "sqlite":
                for statement in _TRAP:
                    connection.execute(text(statement))

            create_log(connection)

            self._tables: dict[str, Table] = _reflect(connection, shop)

        with self.other.begin() as connection:
            connection.execute(text("CREATE TABLE shipped (id INTEGER)"))

        shop.handle = self._handle
        habits.use_loader(shop, lambda _: self._has(habits.LOADER_WRITES))
        shop.spayon.dispatcher(self._dispatch)

        with shop.app.app_context():
            self.engine = shop.db.engine

        self.is_sqlite = self.engine.dialect.name == "sqlite"
        event.listen(self.engine, "before_cursor_execute", self._before_statement)
        event.listen(self.engine, "commit", self._before_commit)
        event.listen(self.engine, "connect", _be_quick)

    def __enter__(self) -> Self:
        """Let the gateway answer, and threads belong to who starts them."""
        self._around.enter_context(self.gateway)
        self._around.enter_context(self.turns.inherited())
        send = HTTPConnectionPool.urlopen
        world = self

        def stop_and_send(*args: Any, **options: Any) -> Any:
            operation = world.turns.current()

            # The threads of a run ask side by side, at stops of no fixed order.
            if operation is not None and threading.current_thread() is operation.thread:
                world.turns.stop("gateway")

            if world._has(habits.KILLED):
                raise CrashError

            return send(*args, **options)

        self._around.enter_context(mock.patch.object(HTTPConnectionPool, "urlopen", stop_and_send))
        return self

    def __exit__(self, *_: object) -> None:
        """Close all connections."""
        self._around.close()
        dispose(self.shop)
        self._locks.close()
        self._side.dispose()
        self.other.dispose()

    def begin_anew(self) -> None:
        """Let there be one order of 1000, unpaid, and nothing else."""
        self.restore(Moment({}, {}, Clock().now, {}))
        self.shop.add_order("A1", "1000")

        with self._side.begin() as connection:
            connection.execute(text("INSERT INTO order_state VALUES ('A1', 'new')"))

    def keep(self) -> Moment:
        """Return how all stands, with an empty log."""
        rows = self.rows() | {"status_log": []}
        return Moment(rows, self.gateway.state(), self.shop.clock.now, dict(self.names))

    def restore(self, moment: Moment) -> None:
        """Put all back."""
        with self._side.begin() as connection:
            for name in reversed(NAMES):
                connection.execute(self._tables[name].delete())

            for name in NAMES:
                if moment.rows.get(name):
                    connection.execute(self._tables[name].insert(), moment.rows[name])

            # The rows that are put back are no events.
            connection.execute(self._tables["status_log"].delete())

        self.gateway.restore(moment.sessions)
        self.shop.clock.now = moment.now
        self.shop.handled.clear()
        self.names = dict(moment.names)
        self.dispatched.clear()
        self.habits = set()
        self._habits_of.clear()

        # No receiver outlives a test.
        for signal in (gateway_called, report_received, payment_paid):
            signal.connect(self._leave)

    def rows(self) -> Rows:
        """Return all rows of all tables."""
        with self._side.connect() as connection:
            return {
                name: [
                    dict(row._mapping)
                    for row in connection.execute(table.select().order_by(*_key(table)))
                ]
                for name, table in self._tables.items()
            }

    def execute(self, statement: str, **values: Any) -> list[Any]:
        """Execute a statement of the shop's own, beside all that is observed."""
        with self._side.begin() as connection:
            result = connection.execute(text(statement), values)
            return list(result) if result.returns_rows else []

    @contextmanager
    def habit(self, habit: str) -> Iterator[None]:
        """Let the shop's functions do so inside the block, for this operation alone."""
        operation = self.turns.current()
        self._habits_of.setdefault(operation, set()).add(habit)

        try:
            yield

        finally:
            self._habits_of[operation].discard(habit)

    def _now(self) -> set[str]:
        return self.habits | self._habits_of.get(self.turns.current(), set())

    def _has(self, habit: str) -> bool:
        return habit in self._now()

    def _leave(self, *_: object, **__: object) -> None:
        """Leave something in the session, as a receiver must not."""
        if self._has(habits.RECEIVER_WRITES):
            self.shop.db.session.get_one(self.shop.orders, "A1").paid_times = 66

    def _handle(self, status: str, payment: Any) -> None:
        execute = self.shop.db.session.execute
        values = {"payment": payment.id, "order": payment.order_id, "status": status}
        execute(text("INSERT INTO told VALUES (:payment, :status)"), values)

        if status == "paid":
            price = {"price": str(payment.price)}
            execute(text("INSERT INTO goods VALUES (:order, :payment, :price)"), values | price)

        # What a shop writes by nature, and by which it would un-pay an order.
        if status != "review":
            execute(text("UPDATE order_state SET state = :status WHERE order_id = :order"), values)

        again = text("INSERT INTO order_state VALUES ('A1', 'again')")
        trap = text("INSERT INTO trap VALUES (1)") if self.is_sqlite else again
        habits.misbehave(self.shop.db.session, self._now(), again, trap, self.other)

        if self._has(habits.HANDLER_RAISES):
            raise RuntimeError("the shop has a bug")

    def _dispatch(self, callback_id: int) -> None:
        if self._has(habits.QUEUE_IS_DOWN):
            raise ConnectionError("the queue is down")

        # A queue is another program: there the worker looks with a connection of its own.
        found = self.execute(
            "SELECT p.status FROM spayon_payment p JOIN spayon_callback c "
            "ON c.session_id = p.session_id WHERE c.id = :id",
            id=callback_id,
        )
        self.turns.stop("dispatcher")
        self.dispatched.append((callback_id, found[0].status if found else "gone"))

    def _before_statement(
        self, connection: Any, _cursor: object, statement: str, *_: object
    ) -> None:
        self.turns.stop(_short(statement), connection=connection.connection.dbapi_connection)

    def _before_commit(self, connection: Any) -> None:
        self.turns.stop("COMMIT", connection=connection.connection.dbapi_connection)


@contextmanager
def worlds(name: str) -> Iterator[Callable[[str], World]]:
    """Yield a function that returns the world on an engine; *name* is that of the databases."""
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(dir=MEMORY))
        databases = Databases(Path(folder), name)
        stack.callback(databases.close)
        yield cache(lambda engine: stack.enter_context(World(databases.url(engine))))


def fingerprint(world: World, rows: Rows) -> str:
    """Return the same text for two ends, with *rows*, if nothing that counts differs."""
    numbers = {row["id"]: number for number, row in enumerate(rows["spayon_payment"])}
    told = {row["id"]: number for number, row in enumerate(rows["spayon_callback"])}
    unlike = {"id", "reference", "seq", "payment_id"}
    plain = {
        name: sorted(
            json.dumps(
                {key: str(value) for key, value in row.items() if key not in unlike}
                | {"n": numbers.get(row.get("payment_id", row.get("id")))},
                sort_keys=True,
            )
            for row in each
        )
        for name, each in rows.items()
    }
    rest = [
        {each: {**said, "made_at": ""} for each, said in world.gateway.sessions.items()},
        [(told.get(row), status) for row, status in world.dispatched],
        world.names,
        str(world.shop.clock.now),
    ]
    return hashlib.sha256(json.dumps([plain, rest], sort_keys=True).encode()).hexdigest()


def _reflect(connection: Any, shop: Shop) -> dict[str, Table]:
    metadata = MetaData()
    made = shop.db.metadata.tables

    # The types of the package's own columns, which a mere look at the database would not show.
    return {
        name: made[name] if name in made else Table(name, metadata, autoload_with=connection)
        for name in NAMES
    }


def _key(table: Table) -> list[Any]:
    return list(table.primary_key.columns) or list(table.columns)


def _be_quick(connection: Any, _: object) -> None:
    if type(connection).__module__.startswith("sqlite3"):
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA journal_mode = MEMORY")


def _short(statement: str) -> str:
    words = statement.split()
    verb = words[0].upper()
    table = next(
        (word for word in words if word.strip('"`(),').startswith(("spayon_", "shop_"))), ""
    )
    return f"{verb} {table.strip(chr(34) + '`(),').partition('.')[0]}"
