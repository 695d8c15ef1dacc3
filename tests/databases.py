"""Databases: one on each engine for this test process, made when it is first asked for.

The name of each says which process of which machine made it. A process that was killed leaves its
databases behind, and the next one removes them.
"""

import itertools
import os
import platform
import re
import zlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from tests.needs import missing

SERVERS = {
    "postgresql": os.environ.get(
        "SPAYON_TESTS_POSTGRESQL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"
    ),
    "mariadb": os.environ.get("SPAYON_TESTS_MARIADB", "mysql+pymysql://root@127.0.0.1:3306/test"),
}

ENGINES = ("sqlite", *SERVERS)

#: Where databases and compiled templates that are thrown away are kept: in memory, if it can be.
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None

_OTHERS_GO = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)

_WHO_IS_CONNECTED = "SELECT id FROM information_schema.processlist WHERE db = :name"

_NAMES = {"postgresql": "SELECT datname FROM pg_database", "mariadb": "SHOW DATABASES"}

#: This machine: whether a process of another one is alive cannot be told here.
_MACHINE = f"{zlib.crc32(platform.node().encode()):08x}"

_numbers = itertools.count(1)


class Databases:
    """Hand out the URL of an own database on each engine, until `close` drops them.

    *folder* is for SQLite; *name* tells this process's databases from those of others.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = f"{name}_{_MACHINE}_{os.getpid()}_{next(_numbers)}"
        self._made: dict[str, str] = {}
        self._emptying: dict[str, Engine] = {}

    def url(self, engine: str) -> str:
        """Return the URL; skip the test if there is no such server."""
        if engine not in self._made:
            self._made[engine] = self._make(engine)

        return self._made[engine]

    def empty(self, engine: str) -> str:
        """Return the URL of a database with nothing in it; skip the test if there is no server."""
        if engine == "sqlite":
            return f"sqlite:///{self._folder / self._name}_{next(_numbers)}.db"

        url = self.url(engine)

        if engine not in self._emptying:
            self._emptying[engine] = _connect(url if engine == "postgresql" else SERVERS[engine])

        statements = {
            # A new schema takes a tenth of the time of a new database.
            "postgresql": ["DROP SCHEMA public CASCADE", "CREATE SCHEMA public"],
            "mariadb": [f"DROP DATABASE {self._name}", f"CREATE DATABASE {self._name}"],
        }

        with self._emptying[engine].connect() as connection:
            self._end_connections(engine, connection)

            for statement in statements[engine]:
                connection.execute(text(statement))

        return url

    def close(self) -> None:
        """Drop what was made, whoever is still connected."""
        for engine in self._emptying.values():
            engine.dispose()

        for name in self._made.keys() & SERVERS.keys():
            server = _connect(SERVERS[name])
            force = " WITH (FORCE)" if name == "postgresql" else ""

            with server.connect() as connection:
                if name == "mariadb":
                    self._end_connections(name, connection)

                connection.execute(text(f"DROP DATABASE {self._name}{force}"))

            server.dispose()

    def _end_connections(self, engine: str, connection: Connection) -> None:
        """End the connections that a test has left open, with the locks that they hold."""
        if engine == "postgresql":
            connection.execute(text(_OTHERS_GO))
            return

        for number in connection.scalars(text(_WHO_IS_CONNECTED), {"name": self._name}).all():
            # One that has gone by itself meanwhile is no error.
            with suppress(OperationalError):
                connection.execute(text(f"KILL {number}"))

    def _make(self, engine: str) -> str:
        if engine == "sqlite":
            return f"sqlite:///{self._folder / self._name}.db"

        server = _connect(SERVERS[engine])

        try:
            with server.connect() as connection:
                for name in abandoned(connection.scalars(text(_NAMES[engine]))):
                    connection.execute(text(f"DROP DATABASE IF EXISTS {name}"))

                connection.execute(text(f"CREATE DATABASE {self._name}"))

        except OperationalError:
            missing(f"a {engine} server")

        server.dispose()
        url = make_url(SERVERS[engine]).set(database=self._name)
        return url.render_as_string(hide_password=False)


def abandoned(names: Iterable[str]) -> list[str]:
    """Return those of *names* that are databases of a process that is no more."""
    found = ((name, re.fullmatch(rf"spayon_\w+_{_MACHINE}_(\d+)_\d+", name)) for name in names)
    return [name for name, made_by in found if made_by and not _is_alive(int(made_by[1]))]


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)

    except ProcessLookupError:
        return False

    except PermissionError:
        pass

    return True


def _connect(url: str) -> Engine:
    return create_engine(url, isolation_level="AUTOCOMMIT")
