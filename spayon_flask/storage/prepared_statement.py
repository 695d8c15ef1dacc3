"""PreparedStatement: one whose text is made once, and then given to the driver as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection
from sqlalchemy import Dialect


class PreparedStatement:
    """*statement*, which returns one value of a plain type.

    At each execution SQLAlchemy looks for what it has compiled before, and goes through it for the
    parameters. Where a statement never changes, that takes half as long as the driver.
    """

    def __init__(self, statement: Any) -> None:
        self.statement = statement
        self._texts: WeakKeyDictionary[Dialect, _Text] = WeakKeyDictionary()

    def scalar(self, connection: Connection, values: dict[str, Any]) -> Any:
        """Return the value for the parameters *values*; raises SQLAlchemy's errors."""
        if _is_changed(connection):
            return connection.scalar(self.statement, values)

        text = self._texts.get(connection.dialect)

        if text is None:
            text = self._texts[connection.dialect] = _Text(self.statement, connection.dialect)

        return connection.exec_driver_sql(text.sql, text.bind(values)).scalar()


class _Text:
    """What the driver of *dialect* is given for *statement*."""

    def __init__(self, statement: Any, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self.sql = str(compiled)
        self._positions: list[str] | None = compiled.positiontup
        self._processors: list[tuple[str, Callable[[Any], Any] | None]] = [
            (name, bind.type.dialect_impl(dialect).bind_processor(dialect))
            for name, bind in compiled.binds.items()
        ]

    def bind(self, values: dict[str, Any]) -> Any:
        """Return *values* as the driver takes them."""
        bound = {
            name: values[name] if process is None else process(values[name])
            for name, process in self._processors
        }
        return bound if self._positions is None else tuple(bound[name] for name in self._positions)


def _is_changed(connection: Connection) -> bool:
    """Say whether the shop may want to change statements before they are text."""
    listeners = connection.dispatch
    return bool(
        listeners.before_execute
        or listeners.after_execute
        or connection.get_execution_options().get("schema_translate_map")
    )
