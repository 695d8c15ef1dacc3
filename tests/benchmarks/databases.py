"""Databases made for a benchmark and dropped after it: a file, or one on a server."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from tests.databases import Databases


@contextmanager
def database(kind: str) -> Iterator[str]:
    """Make an empty database of *kind*, give its URL, and drop it again."""
    with TemporaryDirectory(prefix="spayon-benchmark-") as folder:
        made = Databases(Path(folder), "spayon_benchmark")
        url = made.url(kind)

        # The journal mode stays with the file, so every shop works with the same.
        if kind == "sqlite":
            with connect(url) as connection:
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")

        try:
            yield url

        finally:
            made.close()


@contextmanager
def connect(url: str) -> Iterator[sa.Connection]:
    """Connect for a few statements, each committed by itself."""
    engine = sa.create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")

    with engine.connect() as connection:
        yield connection


def number(url: str, query: str) -> int:
    """Read one number."""
    with connect(url) as connection:
        return int(connection.exec_driver_sql(query).scalar_one())
