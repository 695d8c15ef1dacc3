"""A clock that several processes share: real time, and what was added to it."""

from __future__ import annotations

import mmap
import struct
from datetime import datetime
from datetime import timedelta
from datetime import timezone
from pathlib import Path

from tests.shop import Clock


class SharedClock(Clock):
    """Show the present plus the seconds that the file *path* holds; `step` adds to them."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(struct.pack("d", 0.0))

        with path.open("r+b") as file:
            self._seconds = mmap.mmap(file.fileno(), 8)

    def __call__(self) -> datetime:
        return datetime.now(timezone.utc) + timedelta(seconds=self._added())

    def step(self, seconds: float) -> None:
        self._seconds[:] = struct.pack("d", self._added() + seconds)

    def _added(self) -> float:
        return float(struct.unpack("d", self._seconds[:])[0])
