"""A clock that several processes share: real time, and what was added to it."""

import mmap
import os
import struct
from datetime import datetime, timedelta, timezone
from pathlib import Path

from tests.shop import Clock

#: Seconds by which a clock that goes wrong is ahead.
AHEAD = 600


class SharedClock(Clock):
    """Show the present plus the seconds that the file *path* holds; `step` adds to them.

    If *some_are_ahead*, the clock of one process in four is ahead of the others.
    """

    def __init__(self, path: Path, *, some_are_ahead: bool = False) -> None:
        self._some_are_ahead = some_are_ahead

        if not path.exists():
            path.write_bytes(struct.pack("d", 0.0))

        with path.open("r+b") as file:
            self._seconds = mmap.mmap(file.fileno(), 8)

    def __call__(self) -> datetime:
        ahead = AHEAD if self._some_are_ahead and os.getpid() % 4 == 0 else 0
        return datetime.now(timezone.utc) + timedelta(seconds=self._added() + ahead)

    def step(self, seconds: float) -> None:
        self._seconds[:] = struct.pack("d", self._added() + seconds)

    def _added(self) -> float:
        return float(struct.unpack("d", self._seconds[:])[0])
