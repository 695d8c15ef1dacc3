"""Statements: what the text of a statement tells of it, as far as a text can tell."""

from __future__ import annotations

import re


#: Statements that begin with one of these words write nothing that a commit would keep.
_READS = (
    *("SELECT", "VALUES", "TABLE", "SHOW", "DESCRIBE", "DESC", "HELP"),
    *("PRAGMA", "SET", "RESET", "USE", "DECLARE", "FETCH", "CLOSE", "DISCARD", "DEALLOCATE"),
    *("BEGIN", "START", "SAVEPOINT", "RELEASE", "ROLLBACK", "COMMIT", "END", "ABORT", "XA"),
)

#: Statements that write if one of their parts does. Locking reads say FOR UPDATE or FOR NO KEY
#: UPDATE.
_COMPOUND = ("WITH", "EXPLAIN", "ANALYZE")
_WRITING_PART = re.compile(r"\b(INSERT|DELETE|MERGE|(?<!FOR )(?<!KEY )UPDATE)\b", re.IGNORECASE)

#: The first word of a statement, behind comments and parentheses. What stands in `/*! */` or
#: `/*M! */` is no comment for MariaDB.
_FIRST_WORD = re.compile(r"(?:\s|\(|/\*(?!M?!).*?\*/|--[^\n]*\n)*([a-zA-Z]+)", re.DOTALL)

#: Statements that end a transaction on every database.
_ENDING = ("COMMIT", "ROLLBACK", "BEGIN", "START", "END", "ABORT", "XA")
_TO_SAVEPOINT = re.compile(r"ROLLBACK\s+(WORK\s+|TRANSACTION\s+)?TO\b", re.IGNORECASE)
_TWO_PHASES = re.compile(r"PREPARE\s+TRANSACTION\b", re.IGNORECASE)

#: Statements for which MariaDB commits first (its documentation, SQL statements that cause an
#: implicit commit). Temporary tables are excepted.
_COMMITTING = (
    *("CREATE", "ALTER", "DROP", "TRUNCATE", "RENAME", "GRANT", "REVOKE"),
    *("LOCK", "UNLOCK", "ANALYZE", "OPTIMIZE", "REPAIR", "CHECK", "CACHE", "FLUSH", "RESET"),
    *("INSTALL", "UNINSTALL", "STOP", "CHANGE", "BACKUP", "SHUTDOWN"),
)
_TEMPORARY = re.compile(r"\w+\s+(OR\s+REPLACE\s+)?TEMPORARY\b", re.IGNORECASE)
_COMMITTING_SETTING = re.compile(r"\bautocommit\b|^\s*SET\s+PASSWORD\b", re.IGNORECASE)

#: Statements of MariaDB that hide no COMMIT. CALL, EXECUTE, IF and LOOP may, for instance.
_PLAIN = (
    *("SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "WITH", "VALUES", "TABLE"),
    *("SHOW", "EXPLAIN", "DESCRIBE", "DESC", "HELP", "USE", "DO", "LOAD", "HANDLER"),
    *("SAVEPOINT", "RELEASE", "ROLLBACK", "SET", "PREPARE", "DEALLOCATE"),
    *("CREATE", "DROP"),
)
_SET_STATEMENT = re.compile(r"SET\s+STATEMENT\b", re.IGNORECASE)

_SEVERAL = re.compile(r";\s*\S")


def first_word(statement: str) -> str:
    """Return the first word of *statement*, in upper case; an empty text if there is none."""
    found = _FIRST_WORD.match(statement)
    return found[1].upper() if found else ""


def writes(statement: str) -> bool:
    """Return True if *statement* writes something."""
    word = first_word(statement)
    return bool(_WRITING_PART.search(statement)) if word in _COMPOUND else word not in _READS


def ends_transaction(statement: str, dialect: str) -> bool:
    """Return True if *statement* ends the transaction in which it is executed."""
    word = first_word(statement)

    if word in _ENDING:
        return _TO_SAVEPOINT.search(statement) is None

    if word == "PREPARE" and dialect == "postgresql":
        return _TWO_PHASES.search(statement) is not None

    if dialect not in ("mysql", "mariadb"):
        return False

    if word == "SET":
        return _COMMITTING_SETTING.search(statement) is not None

    return word in _COMMITTING and not _TEMPORARY.match(statement.lstrip())


def may_end_transaction(statement: str, dialect: str) -> bool:
    """Return True if *statement* can hide another one that ends the transaction.

    PostgreSQL lets no procedure end a transaction around it, and SQLite has none. Both servers take
    several statements at once, depending on the driver.
    """
    if dialect == "sqlite":
        return False

    if _SEVERAL.search(statement):
        return True

    return dialect in ("mysql", "mariadb") and (
        first_word(statement) not in _PLAIN or bool(_SET_STATEMENT.match(statement.lstrip()))
    )
