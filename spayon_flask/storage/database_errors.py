"""Database errors: what an error of the database means, for us and for an operator."""

from __future__ import annotations

import traceback
from collections.abc import Iterator

from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    InterfaceError,
    OperationalError,
    PendingRollbackError,
    SQLAlchemyError,
    StatementError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

#: PostgreSQL: serialization failure, deadlock, lock not available.
_SQLSTATES = ("40001", "40P01", "55P03")

#: MariaDB: lock wait time-out.
_STATEMENT_ERRNOS = (1205,)

#: MariaDB: deadlock, record has changed since last read. MariaDB rolls back the whole transaction,
#: and begins another one with the next statement.
_TRANSACTION_ERRNOS = (1213, 1020)

_LETTERS = (
    "the character set of the database lacks a letter of what was to be written: on MariaDB ALTER "
    "TABLE ... CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, on PostgreSQL make a database "
    "in UTF8"
)

#: What SQLite, psycopg, PostgreSQL and MariaDB say, and what an operator does about it.
_ADVICE = (
    (
        ("no such table", "UndefinedTable", "42P01", "1146"),
        "the tables are missing: run `flask db upgrade`, or db.create_all()",
    ),
    (
        ("no such column", "UndefinedColumn", "42703", "1054"),
        "the tables lack a column: run `flask db migrate`, then `flask db upgrade`",
    ),
    (("UntranslatableCharacter", "22P05", "Incorrect string value"), _LETTERS),
)


def is_transient(error: BaseException | None) -> bool:
    """Return True if the same transaction may well succeed when it is run again."""
    if isinstance(error, PendingRollbackError):
        return is_transient(error.__context__)

    if not isinstance(error, DBAPIError):
        return False

    return (
        loses_transaction(error)
        or _sqlstate(error) in _SQLSTATES
        or _errno(error) in _STATEMENT_ERRNOS
        or "database is locked" in str(error.orig)
    )


def loses_transaction(error: BaseException | None) -> bool:
    """Return True if the database has dropped what was written before *error*."""
    return isinstance(error, DBAPIError) and (
        error.connection_invalidated or _errno(error) in _TRANSACTION_ERRNOS
    )


def hide_parameters(error: BaseException) -> None:
    """Keep what was to be written out of the message of *error*, and of what caused it."""
    for each in _chain(error):
        if isinstance(each, StatementError):
            each.hide_parameters = True


def is_about_value(error: Exception, value: str) -> bool:
    """Return True if *error* says that *value* cannot be read as a number, a UUID or the like.

    PostgreSQL raises a `DataError` for text that is compared with an integer, SQLite's driver an
    `OverflowError` for a number of more than 64 bits. `int` quotes the text, `UUID` does not.
    """
    if isinstance(error, DataError | OverflowError):
        return True

    says = str(error)
    return type(error) is ValueError and (repr(value) in says or "UUID string" in says)


def database_trouble(error: BaseException) -> str | None:
    """Return one line about an error of the database, or None if *error* has another cause.

    The line holds neither values nor addresses: those stand in the driver's own message.
    """
    for each in _chain(error):
        if isinstance(each, SQLAlchemyError):
            return _in_one_line(each)

        # psycopg encodes as the database does, and raises no error of its own.
        if isinstance(each, UnicodeEncodeError) and _is_of_a_statement(each):
            return _LETTERS

    return None


def _in_one_line(error: SQLAlchemyError) -> str:
    original = getattr(error, "orig", None)
    said = f"{type(original).__name__} {original}"

    for signs, advice in _ADVICE:
        if any(sign in said for sign in signs):
            return advice

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


def _is_of_a_statement(error: BaseException) -> bool:
    """Return True if *error* was raised while SQLAlchemy executed a statement."""
    return any(
        frame.f_globals.get("__name__", "").startswith("sqlalchemy.engine")
        for frame, _ in traceback.walk_tb(error.__traceback__)
    )


def _sqlstate(error: DBAPIError) -> object:
    # psycopg has `sqlstate`, psycopg2 has `pgcode`, pg8000 has the server's message as a dict.
    said = _first_argument(error)
    return (
        getattr(error.orig, "sqlstate", None)
        or getattr(error.orig, "pgcode", None)
        or (said.get("C") if isinstance(said, dict) else None)
    )


def _errno(error: DBAPIError) -> object:
    # MySQL's own connector and MariaDB's have `errno`; other drivers have the number as the first
    # argument.
    return getattr(error.orig, "errno", None) or _first_argument(error)


def _first_argument(error: DBAPIError) -> object:
    arguments: tuple[object, ...] = getattr(error.orig, "args", ())
    return arguments[0] if arguments else None
