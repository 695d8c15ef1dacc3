"""Value errors: a database refuses a value, and not the statement."""

from __future__ import annotations

from sqlalchemy.exc import DataError


def is_about_value(error: Exception, value: str) -> bool:
    """Return True if *error* says that *value* cannot be read as a number, a UUID or the like.

    PostgreSQL raises a `DataError` for text that is compared with an integer, SQLite's driver an
    `OverflowError` for a number of more than 64 bits. `int` quotes the text, `UUID` does not.
    """
    if isinstance(error, DataError | OverflowError):
        return True

    says = str(error)
    return type(error) is ValueError and (repr(value) in says or "UUID string" in says)
