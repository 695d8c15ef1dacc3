"""Kept shops and a kept simulator: building one takes longer than most tests.

Each process builds one shop for each database and one simulator. Before each test they are as new:
no rows, no handlers of another test, the settings and the clock of the beginning. A shop that
cannot be made so (its tables, its routes or its listeners have changed) is built again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Engine, event, text
from sqlalchemy.exc import SQLAlchemyError

from spayon_flask.simulator import Simulator
from spayon_flask.simulator.gateway import Gateway
from spayon_flask.simulator.transport import Answer, Transport
from tests.counts import apart
from tests.databases import Databases
from tests.shop import Clock, Shop, make_shop

#: What changes the tables of a database.
_DEFINES = ("ALTER", "CREATE", "DROP", "RENAME")

#: To what a test can listen on an engine and on a session.
_ON_ENGINES = (
    *("before_cursor_execute", "after_cursor_execute", "before_execute", "after_execute"),
    *("begin", "commit", "rollback"),
)
_ON_SESSIONS = (
    *("before_commit", "after_commit", "before_flush", "after_flush", "after_begin"),
    *("after_rollback", "after_soft_rollback", "after_transaction_end", "do_orm_execute"),
)

#: How the names of what is set up on an app end.
_SET_UP = ("_funcs", "_spec", "_processors", "_functions", "_folder", "_path")

#: Where tables were defined since somebody looked.
_defined: set[object] = set()


@event.listens_for(Engine, "before_cursor_execute")
def _note_definitions(connection: Any, _cursor: object, statement: str, *_: object) -> None:
    if statement.lstrip()[:6].upper().startswith(_DEFINES):
        _defined.add(_place(connection.engine))


def _place(engine: Engine) -> object:
    """Return what tells the database of *engine*: its URL, or the engine if it is in memory."""
    return str(engine.url) if engine.url.database else id(engine)


class KeptShops:
    """Hand out the shop of an engine, with nothing in it; `close` ends all of them.

    An engine is one of `ENGINES`, or "memory": SQLite without a file.
    """

    def __init__(self, make_databases: Callable[[], Databases]) -> None:
        self._make_databases = make_databases
        self._kept: dict[tuple[str, object], _Kept] = {}

    def shop(self, engine: str, build: Callable[[str], Shop] = make_shop) -> Shop:
        """Return the shop that *build* makes of a database's URL, as it was when it was built."""
        kept = self._kept.get((engine, build))

        if kept is not None and not kept.renew():
            kept.close()
            kept = None

        if kept is None:
            databases = self._make_databases()
            url = "sqlite://" if engine == "memory" else databases.url(engine)

            with apart():
                kept = self._kept[engine, build] = _Kept(build(url), databases)

        return kept.shop

    def close(self) -> None:
        """Close all connections."""
        for kept in self._kept.values():
            kept.close()


class _Kept:
    """A shop, and how it was when it was built."""

    def __init__(self, shop: Shop, databases: Databases) -> None:
        self.shop = shop
        self._databases = databases
        # From now on Flask refuses every new route, with an error that says so: also to the test
        # that happens to come first.
        shop.app.test_client().get("/")
        self._values = _copy(vars(shop))
        self._config = dict(shop.app.config)
        self._registration = _copy(vars(shop.spayon))
        self._handlers = _copy(vars(shop.spayon.handlers))

        with shop.app.app_context():
            self._engine = shop.db.engine

        self._built = self._set_up()
        _defined.discard(_place(self._engine))

    def close(self) -> None:
        """Close all connections, and drop the database."""
        dispose(self.shop)
        self._databases.close()

    def renew(self) -> bool:
        """Return True if the shop is now as it was when it was built."""
        shop = self.shop

        if self._set_up() != self._built or _place(self._engine) in _defined:
            return False

        vars(shop).update(_copy(self._values))
        vars(shop.spayon).update(_copy(self._registration))
        vars(shop.spayon.handlers).update(_copy(self._handlers))
        shop.clock.now = Clock().now
        shop.app.config.clear()
        shop.configure(**self._config)

        try:
            self._empty()

        except SQLAlchemyError:
            return False

        return True

    def _set_up(self) -> list[object]:
        """Return what a test can have added to the app, its engine and its session."""
        app, session = self.shop.app, self.shop.db.session

        with app.app_context():
            on_session = session().dispatch
            session.remove()

        return [
            len(list(app.url_map.iter_rules())),
            _copy({name: value for name, value in vars(app).items() if name.endswith(_SET_UP)}),
            {*app.extensions},
            {**app.jinja_env.globals},
            {**app.jinja_env.filters},
            app.jinja_env.undefined,
            app.jinja_env.autoescape,
            [len(list(getattr(self._engine.dispatch, name))) for name in _ON_ENGINES],
            [len(list(getattr(on_session, name))) for name in _ON_SESSIONS],
        ]

    def _empty(self) -> None:
        shop = self.shop

        with shop.app.app_context():
            shop.db.session.remove()

        # A connection that a test has kept comes back to no pool.
        if getattr(self._engine.pool, "checkedout", int)():
            self._engine.dispose()

        with self._engine.begin() as connection:
            # Somebody who holds a lock is a thread that a test has left behind.
            if self._engine.dialect.name == "postgresql":
                connection.execute(text("SET LOCAL lock_timeout = '5s'"))

            for table in reversed(shop.db.metadata.sorted_tables):
                connection.execute(table.delete())

            self._count_from_one(connection)

    def _count_from_one(self, connection: Any) -> None:
        """Give the ids of payments and reports out from 1 again."""
        names = ("spayon_payment", "spayon_callback")

        if self._engine.dialect.name == "postgresql":
            for name in names:
                connection.execute(text(f"SELECT setval('{name}_id_seq', 1, false)"))

        elif self._engine.dialect.name == "sqlite":
            connection.execute(text("DELETE FROM sqlite_sequence"))

        else:
            for name in names:
                # As a comment begins, it is not taken for a change that a test has made.
                connection.execute(text(f"/* */ ALTER TABLE {name} AUTO_INCREMENT = 1"))


def _copy(value: Any) -> Any:
    """Return *value* with copies of the containers in it, and all else as it is."""
    if isinstance(value, dict):
        copied = copy(value)
        copied.update({name: _copy(each) for name, each in value.items()})
        return copied

    if isinstance(value, (list, set)):
        return type(value)(_copy(each) for each in value)

    return value


class KeptSimulator(Simulator):
    """A simulator that stays on its port; `renew` makes everything else new."""

    def renew(self, **options: Any) -> KeptSimulator:
        """Be as a simulator that was made with *options* and started just now."""
        # What hangs for the sake of a fault wakes, and nothing of the past happens any more.
        self.stopping.set()
        self.clock.stop()

        # What a test has put in place of a method.
        for name in vars(self).keys() & {*dir(type(self))}:
            if callable(getattr(type(self), name)):
                delattr(self, name)

        Gateway.__init__(self, **options)
        self.notice = ""
        server = self._server

        if server is None:
            with apart():
                self.start()

        else:
            before = server.connections
            self.requests.watch(lambda: server.connections - before)
            self.clock.start()

        return self


def in_process(shop: Shop) -> Transport:
    """Return what carries callbacks to *shop* without a port."""

    def carry(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        path = urlsplit(url).path
        answer = shop.app.test_client().post(path, data=body, headers=dict(headers))
        return Answer(answer.status_code, answer.data)

    return carry


def dispose(shop: Shop) -> None:
    """Close every connection of *shop*."""
    with shop.app.app_context():
        shop.db.session.remove()
        shop.db.engine.dispose()
