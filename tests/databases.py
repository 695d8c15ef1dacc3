"""Databases: one on each engine for this test process, made when it is first asked for."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy import create_engine
from sqlalchemy import make_url
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from tests.needs import missing


SERVERS = {
    "postgresql": os.environ.get(
        "SPAYON_TESTS_POSTGRESQL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"
    ),
    "mariadb": os.environ.get("SPAYON_TESTS_MARIADB", "mysql+pymysql://root@127.0.0.1:3306/test"),
}

ENGINES = ("sqlite", *SERVERS)

_numbers = itertools.count(1)


class Databases:
    """Hand out the URL of an own database on each engine, until `close` drops them.

    *folder* is for SQLite; *name* tells this process's databases from those of others.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = f"{name}_{os.getpid()}_{next(_numbers)}"
        self._made: dict[str, str] = {}

    def url(self, engine: str) -> str:
        """Return the URL; skip the test if there is no such server."""
        if engine not in self._made:
            self._made[engine] = self._make(engine)

        return self._made[engine]

    def close(self) -> None:
        """Drop what was made, whoever is still connected."""
        for engine in self._made.keys() & SERVERS.keys():
            server = _connect(engine)
            force = " WITH (FORCE)" if engine == "postgresql" else ""

            with server.connect() as connection:
                connection.execute(text(f"DROP DATABASE {self._name}{force}"))

            server.dispose()

    def _make(self, engine: str) -> str:
        if engine == "sqlite":
            return f"sqlite:///{self._folder / self._name}.db"

        server = _connect(engine)

        try:
            with server.connect() as connection:
                connection.execute(text(f"DROP DATABASE IF EXISTS {self._name}"))
                connection.execute(text(f"CREATE DATABASE {self._name}"))

        except OperationalError:
            missing(f"a {engine} server")

        server.dispose()
        url = make_url(SERVERS[engine]).set(database=self._name)
        return url.render_as_string(hide_password=False)


def _connect(engine: str) -> Engine:
    return create_engine(SERVERS[engine], isolation_level="AUTOCOMMIT")
