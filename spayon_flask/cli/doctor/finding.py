"""Finding: what one check has found out, and how a check is run."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace

from ...state import AppState
from ...storage.database_errors import database_trouble


OK = "ok"
WRONG = "wrong"
UNKNOWN = "unknown"

_NO_DATABASE = "the database cannot be asked"


@dataclass(frozen=True)
class Finding:
    """The *state* of one thing: what it *says*, and what to *do* about it."""

    check: str
    state: str
    says: str
    do: str = ""


Check = Callable[[AppState], Iterator[Finding]]


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


def look(state: AppState, name: str, check: Check) -> list[Finding]:
    """Return what *check* finds; one that fails itself is a finding of that *name*."""
    try:
        return list(check(state))

    except Exception as error:  # noqa: BLE001  one failed check must not hide what the others find
        # Ours says what to do; of others the name is enough, since the text may hold addresses.
        if isinstance(error, ValueError):
            return [wrong(name, str(error), "correct that first")]

        # Why, is what the checks of the database and of the tables say.
        if database_trouble(error) is not None:
            return [unknown(name, _NO_DATABASE, "")]

        return [
            unknown(name, f"the check ended with {type(error).__name__}", "mend the others first")
        ]

    finally:
        # A check that failed in the database leaves a transaction that nothing more works in.
        state.storage.queries.look_again()


def joined(findings: list[Finding]) -> Iterator[Finding]:
    """Yield the findings for a person, who need not read seven times of the same cause."""
    cut_off = [each for each in findings if each.says == _NO_DATABASE]
    yield from (each for each in findings if each.says != _NO_DATABASE)

    if cut_off:
        yield replace(cut_off[0], check=", ".join(each.check for each in cut_off))
