"""OneCore: threads that wait for one lock, kept where that lock is."""

from __future__ import annotations

import os
import random
import sys
from contextlib import suppress


class OneCore:
    """A context that keeps the threads which enter it on one and the same core.

    Of Python's threads one runs at a time. Where dozens that mostly wait are spread over several
    cores, the turn goes from core to core: with 32 of them, a fifteenth of a run went into that.
    Does nothing where the system has no such thing, or where threads do run at the same time.
    """

    def __init__(self) -> None:
        self._allowed: set[int] = set()
        self._core: set[int] = set()

        if hasattr(os, "sched_getaffinity") and getattr(sys, "_is_gil_enabled", lambda: True)():
            self._allowed = os.sched_getaffinity(0)
            # Any, since another process may well do the same.
            self._core = {random.choice(sorted(self._allowed))}  # noqa: S311  no secret

    def __enter__(self) -> None:
        if self._allowed:
            _keep_on(self._core)

    def __exit__(self, *_: object) -> None:
        # Threads may be greenlets, all of them in the thread of the caller.
        if self._allowed:
            _keep_on(self._allowed)


def _keep_on(cores: set[int]) -> None:
    # In Linux it is said of one thread, despite its name. Where it is forbidden, all goes on as it
    # would without.
    with suppress(OSError):
        os.sched_setaffinity(0, cores)
