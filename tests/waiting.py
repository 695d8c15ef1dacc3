"""Waiting for what another thread or process does."""

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for *condition*, 60 seconds at most."""
    ends = time.monotonic() + 60

    while not condition():
        assert time.monotonic() < ends, "it did not come"
        time.sleep(0.02)
