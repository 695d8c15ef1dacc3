"""Trouble: what is wrong with the shop's database, in one line for an operator."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy.exc import InterfaceError
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError


_NO_TABLE = (
    "no such table",  # SQLite
    "UndefinedTable",  # psycopg
    "42P01",  # PostgreSQL
    "1146",  # MariaDB
)

_NO_COLUMN = (
    "no such column",  # SQLite
    "UndefinedColumn",  # psycopg
    "42703",  # PostgreSQL
    "1054",  # MariaDB
)


def database_trouble(error: BaseException) -> str | None:
    """Return one line about an error of the database, or None if *error* has another cause.

    The line holds neither values nor addresses: those stand in the driver's own message.
    """
    for each in _chain(error):
        if isinstance(each, SQLAlchemyError):
            return _in_one_line(each)

    return None


def _in_one_line(error: SQLAlchemyError) -> str:
    original = getattr(error, "orig", None)
    said = f"{type(original).__name__} {original}"

    if any(sign in said for sign in _NO_TABLE):
        return "the tables are missing: run `flask db upgrade`, or db.create_all()"

    if any(sign in said for sign in _NO_COLUMN):
        return "the tables lack a column: run `flask db migrate`, then `flask db upgrade`"

    if isinstance(error, OperationalError | InterfaceError | PoolTimeoutError):
        return (
            f"the database does not answer ({type(error).__name__}): look whether it runs, and at "
            "SQLALCHEMY_DATABASE_URI"
        )

    return f"the database failed ({type(error).__name__}): its own log says more"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield *error*, and what caused it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
