"""The two tables: mixins for a shop's own classes, and ours on the shop's metadata."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    Boolean,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    inspect,
    text,
)
from sqlalchemy.orm import Mapped, MappedAsDataclass, declared_attr, mapped_column

from ..domain.orders import MAX_ID_LENGTH, MAX_TEXT_LENGTH
from ..domain.reports import MAX_STATUS_LENGTH
from .column_types import JsonText, Price, raw_body, row_key, text_key, utc_moment


def _partial_index(name: str, *columns: str, filled: str) -> Index:
    # Most rows have nothing scheduled, so the index stays as small as the work that is left.
    condition = text(f"{filled} IS NOT NULL")
    return Index(name, *columns, postgresql_where=condition, sqlite_where=condition)


def _paid_index(table: str) -> Index:
    """Return the index of the payments of a period, from which PostgreSQL alone can add them up."""
    filled = text("paid_at IS NOT NULL")
    name, columns = f"ix_{table}_paid_at", ("account", "gateway", "paid_at", "id")
    # What the sums need, so that no row has to be read for them.
    summed = ("status", "reported_price", "reported_currency", "refunded_price")
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


#: SQLite would give the id of a row that was removed to another one, to which a row of the shop
#: would point then.
_NO_ID_TWICE = {"sqlite_autoincrement": True}


class PaymentMixin:
    """One attempt to pay one order; we write no personal data into it."""

    __tablename__ = "spayon_payment"

    id: Mapped[int] = mapped_column(row_key, primary_key=True)
    #: Whose payment it is: the name of the `Spayon` object, or `name/vendor`.
    account: Mapped[str] = mapped_column(text_key(64))
    #: The order, by the id that Spayon is given.
    order_id: Mapped[str] = mapped_column(text_key(MAX_ID_LENGTH), index=True)
    #: The order, by what the order loader knows it by.
    order_key: Mapped[str | None] = mapped_column(text_key(MAX_ID_LENGTH), index=True)
    #: What Spayon was told to reach the shop by.
    base_url: Mapped[str | None] = mapped_column(String(MAX_TEXT_LENGTH))
    #: Host of the API that the payment was made with, and port if it is not the usual one.
    gateway: Mapped[str] = mapped_column(String(MAX_TEXT_LENGTH))
    #: Our own unguessable name: it opens the cancel page.
    reference: Mapped[str] = mapped_column(text_key(64))
    #: None until Spayon has answered, as are the address and the end of the session.
    session_id: Mapped[str | None] = mapped_column(text_key(MAX_ID_LENGTH))
    session_url: Mapped[str | None] = mapped_column(Text)
    #: `pending`, `failed`, `expired`, `paid` or `review`; only this package writes it.
    status: Mapped[str] = mapped_column(String(16))
    #: Why a person must look, if the status is `review`.
    review: Mapped[str | None] = mapped_column(String(MAX_TEXT_LENGTH))
    #: What was asked for: a product of the admin panel, or a name, a price and a currency.
    product_id: Mapped[int | None] = mapped_column(BigInteger)
    product_name: Mapped[str | None] = mapped_column(String(MAX_TEXT_LENGTH))
    price: Mapped[Decimal | None] = mapped_column(Price)
    currency: Mapped[str | None] = mapped_column(String(3))
    #: The language of the pages.
    language: Mapped[str | None] = mapped_column(String(MAX_TEXT_LENGTH))
    #: Why attempts to pay were declined, as Spayon says.
    decline_reasons: Mapped[list[dict[str, str]] | None] = mapped_column(JsonText)
    #: What Spayon reported of a `paid`: set if the payment is paid or under review.
    paid_at: Mapped[datetime | None] = mapped_column(utc_moment)
    reported_price: Mapped[Decimal | None] = mapped_column(Price)
    reported_currency: Mapped[str | None] = mapped_column(String(3))
    expires_at: Mapped[datetime | None] = mapped_column(utc_moment)
    created_at: Mapped[datetime] = mapped_column(utc_moment)
    updated_at: Mapped[datetime] = mapped_column(utc_moment)
    #: The order that this payment holds, alive or paid: its key lets no order be held twice.
    held_order_id: Mapped[str | None] = mapped_column(text_key(MAX_ID_LENGTH))
    #: The product, the price or the currency of the order has changed since.
    superseded: Mapped[bool] = mapped_column(Boolean, default=False)
    #: When Spayon was asked last, when it is to be asked next, and how often it was asked.
    checked_at: Mapped[datetime | None] = mapped_column(utc_moment)
    due_at: Mapped[datetime | None] = mapped_column(utc_moment)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    #: Who moved the payment out of review, why, and when.
    reviewed_by: Mapped[str | None] = mapped_column(String(MAX_TEXT_LENGTH))
    reviewed_because: Mapped[str | None] = mapped_column(Text)
    reviewed_at: Mapped[datetime | None] = mapped_column(utc_moment)
    #: The last note of a refund in Spayon's panel. Notes move no money.
    refunded_by: Mapped[str | None] = mapped_column(String(MAX_TEXT_LENGTH))
    refunded_because: Mapped[str | None] = mapped_column(Text)
    refunded_at: Mapped[datetime | None] = mapped_column(utc_moment)
    #: How much is noted as given back, all parts together.
    refunded_price: Mapped[Decimal | None] = mapped_column(Price)
    #: Each note of people: a part of a refund, one that was taken back, a hand-over.
    notes: Mapped[list[dict[str, str]] | None] = mapped_column(JsonText)
    #: How often the shop's handler has failed, and since when.
    handler_failures: Mapped[int] = mapped_column(Integer, default=0)
    handler_failed_at: Mapped[datetime | None] = mapped_column(utc_moment)
    #: With which class of error it failed last, and where.
    handler_error: Mapped[str | None] = mapped_column(String(MAX_TEXT_LENGTH))

    @property
    def vendor(self) -> str | None:
        """Whose payment it is, None if the `Spayon` object has one account."""
        return self.account.partition("/")[2] or None

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> Any:
        table = cls.__tablename__
        return (
            UniqueConstraint("reference", name=f"uq_{table}_reference"),
            UniqueConstraint("account", "session_id", name=f"uq_{table}_session_id"),
            UniqueConstraint("account", "held_order_id", name=f"uq_{table}_held_order"),
            _partial_index(f"ix_{table}_due_at", "due_at", filled="due_at"),
            _partial_index(f"ix_{table}_failing", "handler_failed_at", filled="handler_failed_at"),
            # What people look for: the newest, the newest with a status, what was paid in a period.
            Index(f"ix_{table}_newest", "account", "gateway", "created_at", "id"),
            Index(f"ix_{table}_by_status", "account", "gateway", "status", "created_at", "id"),
            _paid_index(table),
            _NO_ID_TWICE,
        )


class CallbackMixin:
    """One thing that Spayon told us: the status of a payment session."""

    __tablename__ = "spayon_callback"

    id: Mapped[int] = mapped_column(row_key, primary_key=True)
    account: Mapped[str] = mapped_column(text_key(64))
    #: Which session, and the status that Spayon named.
    session_id: Mapped[str] = mapped_column(text_key(MAX_ID_LENGTH))
    status: Mapped[str] = mapped_column(text_key(MAX_STATUS_LENGTH))
    #: `callback` or `status_check`.
    source: Mapped[str] = mapped_column(String(16))
    #: What it did: `applied`, `review`, `stale` (it came too late), `unchanged`, `ignored` (no
    #: status that we know) or `unknown` (no payment that we know).
    verdict: Mapped[str] = mapped_column(String(16))
    #: The exact bytes, personal data included if Spayon sent any, until `prune --bodies`.
    body: Mapped[bytes] = mapped_column(raw_body)
    received_at: Mapped[datetime] = mapped_column(utc_moment)
    #: Which of the callback secrets verified it, from 0; None for a status check.
    secret_index: Mapped[int | None] = mapped_column(Integer)
    #: Set while the shop's dispatcher has yet to be given this row.
    dispatch_at: Mapped[datetime | None] = mapped_column(utc_moment)
    #: Who looked at a report that is `unknown`, with what result, and when.
    seen_by: Mapped[str | None] = mapped_column(String(MAX_TEXT_LENGTH))
    seen_because: Mapped[str | None] = mapped_column(Text)
    seen_at: Mapped[datetime | None] = mapped_column(utc_moment)

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> Any:
        table = cls.__tablename__
        return (
            UniqueConstraint("account", "session_id", "status", name=f"uq_{table}_session_status"),
            _partial_index(f"ix_{table}_dispatch_at", "dispatch_at", filled="dispatch_at"),
            _unknown_index(table),
            _NO_ID_TWICE,
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
