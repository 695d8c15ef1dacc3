"""Databases made for a benchmark and dropped after it: a file, or one on a server."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

SERVERS = {
    "postgresql": os.environ.get(
        "SPAYON_TESTS_POSTGRESQL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"
    ),
    "mariadb": os.environ.get("SPAYON_TESTS_MARIADB", "mysql+pymysql://root@127.0.0.1:3306/test"),
}
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL", "mariadb": "MariaDB"}


@contextmanager
def database(kind: str, name: str) -> Iterator[str]:
    """Make an empty database of *kind*, give its URL, and drop it again."""
    if kind == "sqlite":
        with TemporaryDirectory(prefix="spayon-benchmark-") as folder:
            yield _sqlite(Path(folder) / f"{name}.sqlite3")

        return

    server = sa.make_url(SERVERS[kind])
    database = f"spayon_benchmark_{name}"
    _administer(server, f"DROP DATABASE IF EXISTS {database}", f"CREATE DATABASE {database}")
    try:
        yield server.set(database=database).render_as_string(hide_password=False)
    finally:
        force = " WITH (FORCE)" if kind == "postgresql" else ""
        _administer(server, f"DROP DATABASE IF EXISTS {database}{force}")


def _sqlite(path: Path) -> str:
    url = f"sqlite:///{path}"
    # The journal mode stays with the file, so every shop works with the same.
    with connect(url) as connection:
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")

    return url


def _administer(server: sa.URL, *statements: str) -> None:
    with connect(server) as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@contextmanager
def connect(url: str | sa.URL) -> Iterator[sa.Connection]:
    """Connect for a few statements, each committed by itself."""
    engine = sa.create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection


def number(url: str, query: str) -> int:
    """Read one number."""
    with connect(url) as connection:
        return int(connection.exec_driver_sql(query).scalar_one())
