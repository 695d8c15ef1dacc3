"""Stopping: SIGTERM and Ctrl-C as a wish to finish, and not as an end in the middle."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Yield an event that SIGTERM and SIGINT set; the second one ends the program at once."""
    stop = threading.Event()

    # Python lets only the main thread set handlers; elsewhere the caller's own stay.
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def handle(number: int, _: FrameType | None) -> None:
        stop.set()
        signal.signal(number, before[signal.Signals(number)])

    for number in _SIGNALS:
        signal.signal(number, handle)

    try:
        yield stop

    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
