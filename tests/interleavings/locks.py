"""Locks: whether an operation waits for another one, by what the database itself says."""

import re
import sqlite3
from typing import Any

from sqlalchemy import Engine, create_engine, text

from tests.interleavings.turns import Operation


class Locks:
    """Ask the server at *url* beside the shop."""

    def __init__(self, url: str) -> None:
        self._engine: Engine = create_engine(url, isolation_level="AUTOCOMMIT")
        self._name = self._engine.dialect.name
        self._connection = self._engine.connect()

        if self._name == "sqlite":
            self._connection.exec_driver_sql("PRAGMA busy_timeout = 0")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
        self._engine.dispose()

    def blocked(self, operation: Operation, other: Operation) -> bool:
        """Return True if the statement of *operation* waits for a lock."""
        driver = operation.connection

        if driver is None:
            return False

        if self._name == "sqlite":
            return self._is_busy(operation, other)

        if self._name == "postgresql":
            query = text("SELECT cardinality(pg_blocking_pids(:pid)) > 0")
            return bool(self._connection.execute(query, {"pid": driver.info.backend_pid}).scalar())

        # Not information_schema.INNODB_TRX, which shows a copy of up to 100 ms ago, and an older
        # one still while several ask.
        status = self._connection.exec_driver_sql("SHOW ENGINE INNODB STATUS").one()[2]
        return bool(
            re.search(rf"LOCK WAIT[^-]*?thread id {driver.thread_id()},", _transactions(status))
        )

    def _is_busy(self, operation: Operation, other: Operation) -> bool:
        """Return True if *other* has begun to write, so that *operation* cannot."""
        holds = isinstance(other.connection, sqlite3.Connection) and other.connection.in_transaction

        if not holds or other.connection is operation.connection:
            return False

        try:
            self._connection.exec_driver_sql("BEGIN IMMEDIATE")

        except Exception:  # noqa: BLE001  locked: that is what was asked
            return True

        self._connection.exec_driver_sql("ROLLBACK")
        return False


def _transactions(status: Any) -> str:
    return str(status).partition("LIST OF TRANSACTIONS FOR EACH SESSION")[2]
