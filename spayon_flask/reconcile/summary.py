"""Summary: what a run of reconcile did, all in all and step by step."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from dataclasses import field
from typing import NamedTuple


class Step(NamedTuple):
    """A payment that a run is done with: its new *status*, if it changed, or the *problem*."""

    payment_id: int
    session_id: str | None
    status: str | None = None
    problem: str | None = None


@dataclass
class Summary:
    """What a run of `reconcile` did.

    *asked* counts status calls, *changed* the new statuses, *unanswered* the payments that
    Spayon gave no usable answer for, *failed* those that could not be recorded because a handler
    or the database failed, *handed_over* the rows given to the dispatcher. *refused* says that
    Spayon does not accept our credentials, *put_back* how many payments were left for another run.
    """

    asked: int = 0
    unanswered: int = 0
    failed: int = 0
    handed_over: int = 0
    put_back: int = 0
    refused: bool = False
    changed: Counter[str] = field(default_factory=Counter)

    @property
    def exit_code(self) -> int:
        """0 all answered, 1 something is wrong on our side, 2 Spayon left some unanswered."""
        if self.refused or self.failed:
            return 1

        return 2 if self.unanswered or self.put_back else 0

    def __str__(self) -> str:
        changed = ", ".join(f"{n} {status}" for status, n in sorted(self.changed.items()))
        parts = [f"asked {self.asked}", f"changed {changed or 'none'}"]
        parts += [
            f"{word} {number}"
            for word, number in (
                ("unanswered", self.unanswered),
                ("failed", self.failed),
                ("put back", self.put_back),
                ("handed over", self.handed_over),
            )
            if number
        ]
        return "; ".join(parts)
