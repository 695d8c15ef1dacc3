"""Inspection: whether the database has the tables that the models describe."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection
from sqlalchemy import Inspector
from sqlalchemy import Table
from sqlalchemy import UniqueConstraint
from sqlalchemy import inspect


def find_differences(connection: Connection, tables: list[Table]) -> list[str]:
    """Return what *tables* have and the database lacks, in words: tables, columns, keys."""
    inspector = inspect(connection)
    return [each for table in tables for each in _differences(inspector, table)]


def _differences(inspector: Inspector, table: Table) -> Iterator[str]:
    if not inspector.has_table(table.name, schema=table.schema):
        yield f"table {table.name}"
        return

    there = {column["name"] for column in inspector.get_columns(table.name, schema=table.schema)}
    yield from (f"column {table.name}.{name}" for name in sorted({*table.columns.keys()} - there))

    for columns in _unique_keys(table):
        if columns not in _unique_keys_there(inspector, table):
            yield f"unique key of {table.name} on {', '.join(sorted(columns))}"


def _unique_keys(table: Table) -> list[frozenset[str]]:
    return [
        frozenset(key.columns.keys())
        for key in table.constraints
        if isinstance(key, UniqueConstraint)
    ]


def _unique_keys_there(inspector: Inspector, table: Table) -> set[frozenset[str | None]]:
    keys = inspector.get_unique_constraints(table.name, schema=table.schema)
    indexes = inspector.get_indexes(table.name, schema=table.schema)
    found: set[frozenset[str | None]] = {frozenset(key["column_names"]) for key in keys}
    return found | {frozenset(index["column_names"]) for index in indexes if index["unique"]}
