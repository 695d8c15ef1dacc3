"""Types of columns that mean the same on every database."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    Integer,
    LargeBinary,
    Numeric,
    String,
    Text,
    TypeDecorator,
)
from sqlalchemy.types import TypeEngine

from ..domain.money import MAX_DECIMALS, MAX_DIGITS

# Alembic writes a type into a shop's migration by its module and its repr. Ours go by the names of
# SQLAlchemy's own types there, so that no migration ever needs this package.


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC on every database."""

    __module__ = "sqlalchemy.types"
    impl = DateTime(timezone=True)
    cache_ok = True

    def __repr__(self) -> str:
        return "DateTime(timezone=True)"

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None

        if value.tzinfo is None:
            raise ValueError(
                "a naive datetime: hand in aware UTC, such as datetime.now(timezone.utc)"
            )

        value = value.astimezone(timezone.utc)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, _: Dialect) -> datetime | None:
        if value is None:
            return None

        aware = value if value.tzinfo else value.replace(tzinfo=timezone.utc)
        return aware.astimezone(timezone.utc)


class MariaDbUtcDateTime(UtcDateTime):
    """The same on MariaDB, whose plain DATETIME knows whole seconds only."""

    __module__ = "sqlalchemy.dialects.mysql"
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        # Imported only if it is needed: all of MySQL's drivers would come with it.
        from sqlalchemy.dialects import mysql  # noqa: PLC0415  on demand

        return dialect.type_descriptor(mysql.DATETIME(fsp=6))

    def __repr__(self) -> str:
        return "DATETIME(fsp=6)"


class Price(TypeDecorator[Decimal]):
    """A `Decimal` that comes back as it was, from SQLite too."""

    __module__ = "sqlalchemy.types"
    impl = Numeric(MAX_DIGITS + MAX_DECIMALS, MAX_DECIMALS)
    cache_ok = True

    def __repr__(self) -> str:
        return repr(self.impl_instance)

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        numeric = Numeric(MAX_DIGITS + MAX_DECIMALS, MAX_DECIMALS)

        # SQLite has no decimals. Its floats keep 15 digits, which is all that we let in.
        if dialect.name == "sqlite":
            numeric.asdecimal = False

        return dialect.type_descriptor(numeric)

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        return float(value) if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, _: Dialect) -> Decimal | None:
        if value is None or isinstance(value, Decimal):
            return value

        # The repr of a float is the shortest text that reads as that float.
        return Decimal(repr(value))


class JsonText(TypeDecorator[Any]):
    """JSON in a text column: MariaDB would report a JSON column as another type."""

    __module__ = "sqlalchemy.types"
    impl = Text
    cache_ok = True

    def __repr__(self) -> str:
        return "Text()"

    def process_bind_param(self, value: Any, _: Dialect) -> str | None:
        if value is None:
            return None

        # Escapes would make text that is not ASCII three times as long, and MariaDB's TEXT ends
        # at 64 KiB.
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    def process_result_value(self, value: str | None, _: Dialect) -> Any:
        return None if value is None else json.loads(value)


class Bytes(TypeDecorator[bytes]):
    """Bytes, or an object that hides them from error reports until they are written."""

    __module__ = "sqlalchemy.types"
    impl = LargeBinary
    cache_ok = True

    def __repr__(self) -> str:
        return "LargeBinary()"

    def process_bind_param(self, value: Any, _: Dialect) -> bytes | None:
        return None if value is None else bytes(value)


class MariaDbBytes(Bytes):
    """The same on MariaDB, whose BLOB would be one byte too short for a callback."""

    __module__ = "sqlalchemy.dialects.mysql"
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        from sqlalchemy.dialects import mysql  # noqa: PLC0415  on demand

        return dialect.type_descriptor(mysql.MEDIUMBLOB())

    def __repr__(self) -> str:
        return "MEDIUMBLOB()"


def text_key(length: int) -> String:
    """Return the type of a text that identifies something, and so is compared to the letter."""
    # MariaDB's usual collation takes "A" and "a" for one and the same id.
    return String(length).with_variant(String(length, collation="utf8mb4_bin"), "mysql", "mariadb")


#: The type of a moment, to the microsecond.
utc_moment = UtcDateTime().with_variant(MariaDbUtcDateTime(), "mysql", "mariadb")
#: The type of a primary key; SQLite counts up only what is called INTEGER.
row_key = BigInteger().with_variant(Integer(), "sqlite")
#: The type of a callback's bytes.
raw_body = Bytes().with_variant(MariaDbBytes(), "mysql", "mariadb")
