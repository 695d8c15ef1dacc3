"""Finding: what one check has found out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


OK = "ok"
WRONG = "wrong"
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """The *state* of one thing: what it *says*, and what to *do* about it."""

    check: str
    state: str
    says: str
    do: str = ""


def ok(check: str, says: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(check, OK, says)


def wrong(check: str, says: str, do: str) -> Finding:
    """Return a finding that something has to be done."""
    return Finding(check, WRONG, says, do)


def unknown(check: str, says: str, do: str) -> Finding:
    """Return a finding that it could not be told."""
    return Finding(check, UNKNOWN, says, do)


def exit_code(findings: Sequence[Finding]) -> int:
    """Return 0 if all is proven, 1 if something is wrong, 2 if something could not be told."""
    states = {finding.state for finding in findings}

    if WRONG in states:
        return 1

    return 2 if UNKNOWN in states else 0
