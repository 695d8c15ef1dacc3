"""Inspection: whether the database and what it holds are as payments need them; for `doctor`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Inspector,
    Table,
    UniqueConstraint,
    bindparam,
    func,
    inspect,
    or_,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError

from ..domain.transitions import BARRING, UNKNOWN
from .transactions import Part

#: A payment session lives 15 minutes. After twice that, its payment should have an answer.
LATE = timedelta(minutes=30)

#: Reconcile should run every minute or two.
SILENT = timedelta(minutes=10)

#: A column with text in the payer's language.
_WORDS = "product_name"


class Overdue(NamedTuple):
    """How many payments wait for an answer, since when the *oldest*, how many are *neglected*."""

    number: int
    oldest: datetime | None
    neglected: int


class Inspection(Part):
    """Look at the two tables, at the database around them, and at the work that is left."""

    def ping(self) -> None:
        """Ask the database anything; raises its own error if it does not answer."""
        self.connect().execute(select(1))

    def keeps_transactions(self) -> bool:
        """Return False if each statement is committed by itself (AUTOCOMMIT)."""
        connection = self.connect()

        # Without a transaction PostgreSQL makes no savepoint, and MariaDB has lost it at once.
        try:
            with connection.begin_nested():
                connection.execute(select(1))

        except DBAPIError:
            return False

        if connection.dialect.name != "sqlite":
            return True

        self.take_lock(connection)
        driver: Any = connection.connection.dbapi_connection
        kept: bool = driver.in_transaction
        self.session.rollback()
        return kept

    def encoding(self) -> str:
        """Return the character set of our tables, as `utf8` or `utf8mb4` if all is well."""
        connection = self.connect()
        dialect = connection.dialect.name

        if dialect == "postgresql":
            return str(connection.execute(text("SHOW server_encoding")).scalar_one()).lower()

        if dialect not in ("mysql", "mariadb"):
            return "utf8"

        (found,) = (row.character_set_name for row in self._text_columns() if row.name == _WORDS)
        # An old name, of three bytes a letter.
        return "utf8mb3" if found == "utf8" else str(found).lower()

    def inexact_ids(self) -> list[str]:
        """Return the columns with ids that MariaDB compares without regard to case, in words."""
        dialect = self.connect().dialect

        if dialect.name not in ("mysql", "mariadb"):
            return []

        # The models have a collation of its own for each of them.
        exact = {
            f"{table.name}.{column.name}"
            for table in (self.payment, self.callback)
            for column in table.columns
            if getattr(column.type.dialect_impl(dialect), "collation", None)
        }
        there = {f"{row.table_name}.{row.name}": row.collation_name for row in self._text_columns()}
        return [name for name in there if name in exact and not there[name].endswith("_bin")]

    def _text_columns(self) -> Sequence[Any]:
        """Return MariaDB's columns that hold text, of our two tables."""
        query = text(
            "SELECT table_name AS table_name, column_name AS name,"
            " character_set_name AS character_set_name, collation_name AS collation_name"
            " FROM information_schema.columns"
            " WHERE table_schema = COALESCE(:schema, DATABASE()) AND table_name IN :tables"
            " AND collation_name IS NOT NULL ORDER BY table_name, column_name"
        ).bindparams(bindparam("tables", expanding=True))
        tables = [self.payment.name, self.callback.name]
        values = {"schema": self.payment.schema, "tables": tables}
        return self.connect().execute(query, values).all()

    def differences(self) -> list[str]:
        """Return what the models have and the database lacks, in words: tables, columns, keys."""
        inspector = inspect(self.connect())
        tables = (self.payment, self.callback)
        return [each for table in tables for each in _differences(inspector, table)]

    def accounts(self, prefix: str = "") -> list[str]:
        """Return the accounts of all payments that begin with *prefix*, whichever object's."""
        account = self.payment.c.account
        smallest = select(func.min(account))
        found: list[str] = []
        name = self._scalar(smallest)

        # One look into the index for each account, however many payments there are.
        while name is not None:
            found.append(name)
            name = self._scalar(smallest.where(account > name))

        return [each for each in found if each.startswith(prefix)]

    def has_payments(self, account: str) -> bool:
        """Return True if there is a payment of *account*."""
        a = self.payment.c.account
        return self._scalar(select(a).where(a == account).limit(1)) is not None

    def strange_accounts(self, known: Collection[str]) -> list[str]:
        """Return the accounts of payments that none of *known* has: those of a changed name."""
        return [name for name in self.accounts() if name.partition("/")[0] not in known]

    def other_gateways(self) -> dict[str, int]:
        """Return how many payments of this account were made with each other gateway."""
        p = self.payment.c
        query = (
            select(p.gateway, func.count())
            .where(p.account == self.account, p.gateway != self.source.gateway)
            .group_by(p.gateway)
            .order_by(p.gateway)
        )
        return {row[0]: row[1] for row in self.connect().execute(query)}

    def newest_keys(self, number: int) -> list[str]:
        """Return by which keys the orders of the newest payments are loaded, at most *number*."""
        p = self.payment.c
        query = (
            select(func.coalesce(p.order_key, p.order_id))
            .where(*self._mine)
            .order_by(p.created_at.desc(), p.id.desc())
            .limit(number)
        )
        return [row[0] for row in self.connect().execute(query)]

    def unknown(self, *, since: datetime) -> int:
        """Return how many reports about payments that we do not know have come *since*.

        Those that a person has looked at are left out.
        """
        c = self.callback.c
        mine = (c.account == self.account, c.verdict == UNKNOWN)
        return self._count(self.callback, *mine, c.received_at >= since, c.seen_at.is_(None))

    def under_review(self) -> int:
        """Return how many payments wait for a person."""
        return self._count(self.payment, *self._mine, self.payment.c.status == "review")

    def failing_handlers(self) -> dict[str, int]:
        """Return for how many open payments the shop's handler fails, by the class of its error."""
        p = self.payment.c
        where = (*self._mine, p.handler_failed_at.is_not(None), p.status.not_in(BARRING))
        grouped = select(p.handler_error, func.count()).where(*where).group_by(p.handler_error)
        rows = self.connect().execute(grouped.order_by(p.handler_error))
        return {row[0] or "an error": row[1] for row in rows}

    def overdue(self, *, now: datetime) -> Overdue:
        """Return how many payments have had no answer for too long, and since when the oldest.

        *neglected* counts those that nobody asks about: those that were never asked about, or that
        were due to be asked about again some time ago.
        """
        p = self.payment.c
        where = (*self._mine, p.status == "pending", p.created_at < now - LATE)
        query = select(func.count(), func.min(p.created_at)).where(*where)
        number, oldest = self.connect().execute(query).one()
        is_neglected = or_(p.attempts == 0, p.due_at.is_(None), p.due_at < now - SILENT)
        neglected = self._count(self.payment, *where, is_neglected) if number else 0
        return Overdue(number, oldest, neglected)

    def undispatched(self, *, now: datetime) -> int:
        """Return how many callback rows the dispatcher should have been given by now."""
        mine = self.callback.c.account == self.account
        return self._count(self.callback, mine, self.waits_for_dispatcher(now))

    def secrets_seen(self) -> dict[int, datetime]:
        """Return when each callback secret, counted from 0, has last verified a callback."""
        c = self.callback.c
        query = (
            select(c.secret_index, func.max(c.received_at))
            .where(c.account == self.account, c.secret_index.is_not(None))
            .group_by(c.secret_index)
        )
        return {row[0]: row[1] for row in self.connect().execute(query)}

    @property
    def _mine(self) -> tuple[ColumnElement[bool], ...]:
        """The payments of this account at the present gateway."""
        p = self.payment.c
        return p.account == self.account, p.gateway == self.source.gateway

    def _count(self, table: Table, *where: ColumnElement[bool]) -> int:
        return int(self._scalar(select(func.count()).select_from(table).where(*where)))

    def _scalar(self, query: Any) -> Any:
        return self.connect().execute(query).scalar()


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
