"""Drivers: what an error of a database means, and what a driver knows of its transaction."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import PendingRollbackError


#: PostgreSQL: serialization failure, deadlock, lock not available.
_SQLSTATES = ("40001", "40P01", "55P03")

#: MariaDB: lock wait time-out.
_STATEMENT_ERRNOS = (1205,)

#: MariaDB: deadlock, record has changed since last read. MariaDB rolls back the whole transaction,
#: and begins another one with the next statement.
_TRANSACTION_ERRNOS = (1213, 1020)

#: There is no such savepoint: PostgreSQL's code, and MariaDB's.
_NO_SAVEPOINT = ("3B001", 1305)

#: What psycopg calls `IDLE` and `INERROR`. PostgreSQL answers the COMMIT of a transaction in error
#: with a ROLLBACK and no error.
_IDLE = 0
_IN_ERROR = 3

#: MariaDB's protocol: the bit of the server's status that says that a transaction is open.
_IN_TRANSACTION = 1


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


def lacks_savepoint(error: DBAPIError) -> bool:
    """Return True if *error* says that a savepoint is gone, as it is with its transaction."""
    return _sqlstate(error) in _NO_SAVEPOINT or _errno(error) in _NO_SAVEPOINT


def is_open(connection: Connection) -> bool:
    """Return False if the driver knows that no transaction is open any more."""
    driver: Any = connection.connection.dbapi_connection

    if (open_now := getattr(driver, "in_transaction", None)) is not None:
        return bool(open_now)

    if (server_status := getattr(driver, "server_status", None)) is not None:
        return bool(server_status & _IN_TRANSACTION)

    if (status := _transaction_status(driver)) is not None:
        return bool(status != _IDLE)

    if connection.dialect.name == "postgresql":
        # The driver does not tell. The server does: ours has written, so it has a number. In a
        # transaction in error this statement fails, as every other but COMMIT.
        number = connection.exec_driver_sql("SELECT txid_current_if_assigned()").scalar()
        return number is not None

    return True


def is_in_error(connection: Connection) -> bool:
    """Return True if the driver knows that the database will not commit the transaction."""
    return bool(_transaction_status(connection.connection.dbapi_connection) == _IN_ERROR)


def _transaction_status(driver: Any) -> Any:
    # psycopg and psycopg2 have it, pg8000 does not.
    return getattr(getattr(driver, "info", None), "transaction_status", None)


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
