"""Summary: what a run of reconcile did, step by step and all in all, and when it was the last."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
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
    Spayon does not accept our credentials, *refused_vendors* names the vendors of which that is
    true, *put_back* how many payments were left for another run.
    """

    asked: int = 0
    unanswered: int = 0
    failed: int = 0
    handed_over: int = 0
    put_back: int = 0
    refused: bool = False
    refused_vendors: list[str] = field(default_factory=list)
    changed: Counter[str] = field(default_factory=Counter)

    @property
    def exit_code(self) -> int:
        """0 all answered, 1 something is wrong on our side, 2 Spayon left some unanswered."""
        if self.refused or self.refused_vendors or self.failed:
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
        parts += [f"refused {', '.join(self.refused_vendors)}"] if self.refused_vendors else []
        return "; ".join(parts)


class Beat(NamedTuple):
    """A run of reconcile that came to its end: when, with which exit code, and its summary."""

    finished_at: datetime
    exit_code: int
    summary: str


class Heartbeat:
    """Keep the last beat in the file *path*, if its folder is there: each host has its own."""

    def __init__(self, path: str) -> None:
        self._path = path

    def write(self, beat: Beat) -> None:
        """Replace the last beat; if nothing can be written, nothing is."""
        path = Path(self._path)
        written = {**beat._asdict(), "finished_at": beat.finished_at.isoformat()}

        # A run is done once it has recorded what it asked for. A full disk changes nothing in that.
        with suppress(OSError):
            if path.parent.is_dir():
                new = path.with_suffix(".new")
                new.write_text(json.dumps(written) + "\n", encoding="utf-8")
                new.replace(path)

    def read(self) -> Beat | None:
        """Return the last beat, or None if there is none, or no file that makes sense."""
        try:
            found = json.loads(Path(self._path).read_text(encoding="utf-8"))
            moment = datetime.fromisoformat(found["finished_at"])
            return Beat(moment, int(found["exit_code"]), str(found["summary"]))

        except (OSError, ValueError, KeyError, TypeError):
            return None
