"""Queries: payments and callbacks as pages and operators look for them; nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from datetime import datetime
from datetime import timedelta
from functools import cached_property
from typing import Any
from typing import NamedTuple

from sqlalchemy import ColumnElement
from sqlalchemy import Inspector
from sqlalchemy import Table
from sqlalchemy import UniqueConstraint
from sqlalchemy import bindparam
from sqlalchemy import func
from sqlalchemy import inspect
from sqlalchemy import or_
from sqlalchemy import select
from sqlalchemy import text

from ..models import PaymentMixin
from ..transitions import UNKNOWN
from ..transitions import can_be_paid
from .transactions import Part
from .transactions import Source
from .writes import end_reading


#: A payment session lives 15 minutes. After twice that, its payment should have an answer.
LATE = timedelta(minutes=30)

#: Reconcile should run every minute or two.
SILENT = timedelta(minutes=10)


class Overdue(NamedTuple):
    """How many payments wait for an answer, since when the *oldest*, how many are *neglected*."""

    number: int
    oldest: datetime | None
    neglected: int


class Queries(Part):
    """Read the payments of one account.

    What a page shows is read where it was written, and not from a replica that lags behind. What an
    operator asks for is read wherever the shop's session reads.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._payment = source.payment_class
        self._callback = source.callback_class

    def get(self, payment_id: int) -> PaymentMixin:
        """Return a payment as it is in the database now."""
        payment = self._find(self._by_id, payment_id)
        assert payment is not None  # noqa: S101  payments are only ever pruned when final
        return payment

    def find(
        self, *, session_id: str | None = None, reference: str | None = None
    ) -> PaymentMixin | None:
        """Return the payment with this session id or reference, or None."""
        if session_id is not None:
            return self._find(self._by_session_id, session_id)

        return self._find(self._by_reference, reference)

    def named(self, name: str) -> PaymentMixin | None:
        """Return the payment with *name* as its session id, or else as its reference, or None."""
        return self.find(session_id=name) or self.find(reference=name)

    def standing(self, order_id: str, *, now: datetime) -> PaymentMixin | None:
        """Return the payment that says how an order stands at *now*, or None if there is none.

        The one that is paid; else one under review; else the one that can be paid now; else the
        newest.
        """

        def counts(payment: PaymentMixin) -> tuple[bool, bool, bool, int]:
            live = can_be_paid(payment, now)
            return payment.status == "paid", payment.status == "review", live, payment.id

        return max(self.attempts(order_id), key=counts, default=None)

    def attempts(self, order_id: str) -> Sequence[PaymentMixin]:
        """Return every payment of an order as it is in the database now, the oldest first."""
        rows = self.connect().execute(self._of_order, {"the_key": order_id}).mappings()
        return [self.load(row) for row in sorted(rows, key=lambda row: int(row["id"]))]

    def _find(self, statement: Any, key: object) -> PaymentMixin | None:
        row = self.connect().execute(statement, {"the_key": key}).mappings().first()
        return None if row is None else self.load(row)

    @cached_property
    def _by_id(self) -> Any:
        return select(self.payment).where(self.payment.c.id == bindparam("the_key"))

    @cached_property
    def _by_session_id(self) -> Any:
        p = self.payment.c
        return select(self.payment).where(p.session_id == bindparam("the_key"), self.is_mine)

    @cached_property
    def _by_reference(self) -> Any:
        p = self.payment.c
        return select(self.payment).where(p.reference == bindparam("the_key"), self.is_mine)

    @cached_property
    def _of_order(self) -> Any:
        p = self.payment.c
        return select(self.payment).where(p.order_id == bindparam("the_key"), self.is_mine)

    def look_again(self) -> None:
        """See the present from now on, and not the snapshot that was read before."""
        end_reading(self.session)

    def ping(self) -> None:
        """Ask the database anything; raises its own error if it does not answer."""
        self.connect().execute(select(1))

    def encoding(self) -> str:
        """Return the character set of our tables, as `utf8` or `utf8mb4` if all is well."""
        connection = self.connect()
        dialect = connection.dialect.name

        if dialect == "postgresql":
            found = connection.execute(text("SHOW server_encoding")).scalar_one()

        elif dialect in ("mysql", "mariadb"):
            found = connection.execute(
                text(
                    "SELECT character_set_name FROM information_schema.columns WHERE"
                    " table_schema = DATABASE() AND table_name = :table"
                    " AND column_name = 'product_name'"
                ),
                {"table": self.payment.name},
            ).scalar_one()
            # An old name, of three bytes a letter.
            found = "utf8mb3" if found == "utf8" else found

        else:
            found = "utf8"

        return str(found).lower()

    def differences(self) -> list[str]:
        """Return what the models have and the database lacks, in words: tables, columns, keys."""
        inspector = inspect(self.connect())
        tables = (self.payment, self.callback)
        return [each for table in tables for each in _differences(inspector, table)]

    def payments(
        self,
        *,
        status: str | None = None,
        session_id: str | None = None,
        order_id: str | None = None,
        since: datetime | None = None,
        with_session: bool = False,
        limit: int | None = None,
    ) -> Sequence[Any]:
        """Return payments, newest first; *with_session* leaves out those Spayon never answered."""
        p = self._payment
        wanted = {p.status: status, p.session_id: session_id, p.order_id: order_id}
        where = [column == value for column, value in wanted.items() if value is not None]

        if since is not None:
            where.append(p.created_at >= since)

        if with_session:
            where.append(p.session_id.is_not(None))

        query = select(p).where(p.account == self.account, *where).order_by(p.id.desc())
        return self.session.scalars(query.limit(limit)).all()

    def callbacks(self, session_id: str) -> Sequence[Any]:
        """Return what Spayon told us of a payment session, in the order in which it came."""
        c = self._callback
        query = select(c).where(c.account == self.account, c.session_id == session_id)
        return self.session.scalars(query.order_by(c.id)).all()

    def unknown(self, *, since: datetime) -> int:
        """Return how many reports about payments that we do not know have come *since*.

        Those that a person has looked at are left out.
        """
        c = self._callback
        return self._count(c, c.verdict == UNKNOWN, c.received_at >= since, c.seen_at.is_(None))

    def under_review(self) -> int:
        """Return how many payments wait for a person."""
        return self._count(self._payment, self._payment.status == "review")

    def overdue(self, *, now: datetime) -> Overdue:
        """Return how many payments have had no answer for too long, and since when the oldest.

        *neglected* counts those that nobody asks about: those that were never asked about, or that
        were due to be asked about again some time ago.
        """
        p = self._payment
        where = (p.account == self.account, p.status == "pending", p.created_at < now - LATE)
        number, oldest = self.session.execute(
            select(func.count(), func.min(p.created_at)).where(*where)
        ).one()
        is_neglected = or_(p.attempts == 0, p.due_at.is_(None), p.due_at < now - SILENT)
        return Overdue(number, oldest, self._count(p, *where, is_neglected) if number else 0)

    def undispatched(self, *, now: datetime) -> int:
        """Return how many callback rows the dispatcher should have been given by now."""
        return self._count(self._callback, self.waits_for_dispatcher(now))

    def secrets_seen(self) -> dict[int, datetime]:
        """Return when each callback secret, counted from 0, has last verified a callback."""
        c = self._callback
        query = (
            select(c.secret_index, func.max(c.received_at))
            .where(c.account == self.account, c.secret_index.is_not(None))
            .group_by(c.secret_index)
        )
        return {row[0]: row[1] for row in self.session.execute(query) if row[0] is not None}

    def _count(self, model: Any, *where: ColumnElement[bool]) -> int:
        query = select(func.count()).select_from(model)
        return self.session.scalar(query.where(model.account == self.account, *where)) or 0


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
