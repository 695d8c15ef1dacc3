"""The two tables: mixins for a shop's own classes, and ours on the shop's metadata."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from typing import TypeVar

from sqlalchemy import BigInteger
from sqlalchemy import Boolean
from sqlalchemy import Index
from sqlalchemy import Integer
from sqlalchemy import String
from sqlalchemy import Table
from sqlalchemy import Text
from sqlalchemy import UniqueConstraint
from sqlalchemy import inspect
from sqlalchemy import text
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import MappedAsDataclass
from sqlalchemy.orm import declared_attr
from sqlalchemy.orm import mapped_column

from .column_types import JsonText
from .column_types import Price
from .column_types import raw_body
from .column_types import row_key
from .column_types import text_key
from .column_types import utc_moment
from .orders import MAX_ID_LENGTH
from .orders import MAX_TEXT_LENGTH
from .reports import MAX_STATUS_LENGTH


def _partial_index(name: str, *columns: str, filled: str) -> Index:
    # Most rows have nothing scheduled, so the index stays as small as the work that is left.
    condition = text(f"{filled} IS NOT NULL")
    return Index(name, *columns, postgresql_where=condition, sqlite_where=condition)


def _paid_index(table: str) -> Index:
    """Return the index of the payments of a period, from which PostgreSQL alone can add them up."""
    filled = text("paid_at IS NOT NULL")
    name, columns = f"ix_{table}_paid_at", ("account", "paid_at", "id")
    # What the sums need, so that no row has to be read for them.
    summed = ("status", "reported_price", "reported_currency", "price", "currency", "refunded_at")
    return Index(
        name, *columns, postgresql_include=summed, postgresql_where=filled, sqlite_where=filled
    )


def _unknown_index(table: str) -> Index:
    """Return the index of the reports that nobody could match: few, among all that came."""
    condition = text("verdict = 'unknown'")
    columns = ("account", "verdict", "id")
    name = f"ix_{table}_unknown"
    # Enough to count those that say `paid` and that nobody has looked at.
    counted = ("status", "seen_at")
    return Index(
        name,
        *columns,
        postgresql_include=counted,
        postgresql_where=condition,
        sqlite_where=condition,
    )


class PaymentMixin:
    """One attempt to pay one order; we write no personal data into it.

    *status* is `pending`, `failed`, `expired`, `paid` or `review`; only this package writes it.
    *session_id*, *session_url* and *expires_at* are None until Spayon has answered. *reference* is
    our own unguessable name. *order_key* is what the order loader knows the order by, *host* the
    one by which Spayon was told to reach the shop. *paid_at*,
    *reported_price* and *reported_currency* are what Spayon reported of a `paid`: they are set if
    the payment is paid or under review. *held_order_id* is the order that this payment holds, alive
    or paid; by its unique key no order is held twice.
    *superseded* marks a payment of an order whose product, price or currency has changed since.
    *reviewed_by*, *reviewed_because* and *reviewed_at* tell who moved the payment out of review,
    why and when. *refunded_by*, *refunded_because* and *refunded_at* are a note that the money was
    given back in Spayon's panel; the note moves nothing. *checked_at*, *due_at* and *attempts*
    schedule the status checks.
    """

    __tablename__ = "spayon_payment"

    id: Mapped[int] = mapped_column(row_key, primary_key=True)
    account: Mapped[str] = mapped_column(text_key(64))
    order_id: Mapped[str] = mapped_column(text_key(MAX_ID_LENGTH), index=True)
    order_key: Mapped[str | None] = mapped_column(text_key(MAX_ID_LENGTH))
    host: Mapped[str | None] = mapped_column(String(MAX_TEXT_LENGTH))
    reference: Mapped[str] = mapped_column(text_key(64))
    session_id: Mapped[str | None] = mapped_column(text_key(MAX_ID_LENGTH))
    session_url: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(16))
    review: Mapped[str | None] = mapped_column(String(MAX_TEXT_LENGTH))
    product_id: Mapped[int | None] = mapped_column(BigInteger)
    product_name: Mapped[str | None] = mapped_column(String(MAX_TEXT_LENGTH))
    price: Mapped[Decimal | None] = mapped_column(Price)
    currency: Mapped[str | None] = mapped_column(String(3))
    language: Mapped[str | None] = mapped_column(String(MAX_TEXT_LENGTH))
    decline_reasons: Mapped[list[dict[str, str]] | None] = mapped_column(JsonText)
    paid_at: Mapped[datetime | None] = mapped_column(utc_moment)
    reported_price: Mapped[Decimal | None] = mapped_column(Price)
    reported_currency: Mapped[str | None] = mapped_column(String(3))
    expires_at: Mapped[datetime | None] = mapped_column(utc_moment)
    created_at: Mapped[datetime] = mapped_column(utc_moment)
    updated_at: Mapped[datetime] = mapped_column(utc_moment)
    held_order_id: Mapped[str | None] = mapped_column(text_key(MAX_ID_LENGTH))
    superseded: Mapped[bool] = mapped_column(Boolean, default=False)
    checked_at: Mapped[datetime | None] = mapped_column(utc_moment)
    due_at: Mapped[datetime | None] = mapped_column(utc_moment)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    reviewed_by: Mapped[str | None] = mapped_column(String(MAX_TEXT_LENGTH))
    reviewed_because: Mapped[str | None] = mapped_column(Text)
    reviewed_at: Mapped[datetime | None] = mapped_column(utc_moment)
    refunded_by: Mapped[str | None] = mapped_column(String(MAX_TEXT_LENGTH))
    refunded_because: Mapped[str | None] = mapped_column(Text)
    refunded_at: Mapped[datetime | None] = mapped_column(utc_moment)

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> Any:
        table = cls.__tablename__
        return (
            UniqueConstraint("reference", name=f"uq_{table}_reference"),
            UniqueConstraint("session_id", name=f"uq_{table}_session_id"),
            UniqueConstraint("account", "held_order_id", name=f"uq_{table}_held_order"),
            _partial_index(f"ix_{table}_due_at", "due_at", filled="due_at"),
            # What people look for: the newest, the newest with a status, what was paid in a period.
            Index(f"ix_{table}_newest", "account", "created_at", "id"),
            Index(f"ix_{table}_by_status", "account", "status", "created_at", "id"),
            _paid_index(table),
        )


class CallbackMixin:
    """One thing that Spayon told us: *status* of the payment session *session_id*.

    *source* is `callback` or `status_check`. *verdict* is what it did: `applied`; `review`;
    `stale`, it came too late; `unchanged`, it was so already; `ignored`, no status that we know;
    `unknown`, no payment that we know. *body* holds the exact bytes, personal data
    included if Spayon sent any, until `prune --bodies` removes them. *secret_index* tells which of
    the callback secrets verified it, counted from 0; None for a status check. *dispatch_at* is set
    while the shop's dispatcher has yet to be given this row. *seen_by*, *seen_because* and
    *seen_at* tell who looked at a report that is `unknown`, with what result and when.
    """

    __tablename__ = "spayon_callback"

    id: Mapped[int] = mapped_column(row_key, primary_key=True)
    account: Mapped[str] = mapped_column(text_key(64))
    session_id: Mapped[str] = mapped_column(text_key(MAX_ID_LENGTH))
    status: Mapped[str] = mapped_column(text_key(MAX_STATUS_LENGTH))
    source: Mapped[str] = mapped_column(String(16))
    verdict: Mapped[str] = mapped_column(String(16))
    body: Mapped[bytes] = mapped_column(raw_body)
    received_at: Mapped[datetime] = mapped_column(utc_moment)
    secret_index: Mapped[int | None] = mapped_column(Integer)
    dispatch_at: Mapped[datetime | None] = mapped_column(utc_moment)
    seen_by: Mapped[str | None] = mapped_column(String(MAX_TEXT_LENGTH))
    seen_because: Mapped[str | None] = mapped_column(Text)
    seen_at: Mapped[datetime | None] = mapped_column(utc_moment)

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> Any:
        table = cls.__tablename__
        return (
            UniqueConstraint("session_id", "status", name=f"uq_{table}_session_status"),
            _partial_index(f"ix_{table}_dispatch_at", "dispatch_at", filled="dispatch_at"),
            _unknown_index(table),
        )


_Mixin = TypeVar("_Mixin")

#: In `metadata.info`: the two classes, which two vendor accounts share.
_MADE = "spayon.models"


def make_models(base: Any) -> tuple[type[PaymentMixin], type[CallbackMixin]]:
    """Return the two model classes on *base*, the shop's `db.Model`, made once for its metadata."""
    if _MADE not in base.metadata.info:
        base.metadata.info[_MADE] = (
            _map("SpayonPayment", PaymentMixin, base),
            _map("SpayonCallback", CallbackMixin, base),
        )

    made: tuple[type[PaymentMixin], type[CallbackMixin]] = base.metadata.info[_MADE]
    return made


def _map(name: str, mixin: type[_Mixin], base: Any) -> type[_Mixin]:
    members = {"__doc__": mixin.__doc__, "metadata": base.metadata}

    # What inherits from such a base becomes a dataclass, which our mixins cannot.
    if issubclass(base, MappedAsDataclass):
        mapped: type[_Mixin] = base.registry.mapped(type(name, (mixin,), members))
        return mapped

    return type(name, (mixin, base), members)


def table_of(model: type[PaymentMixin | CallbackMixin]) -> Table:
    """Return the table of a model class."""
    table: Table = inspect(model).local_table
    return table
