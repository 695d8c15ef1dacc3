"""Heartbeat: when `reconcile` has last finished on this host."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple


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
