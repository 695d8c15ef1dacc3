"""Effects: how often something happened."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def happens(count: Callable[[], int], times: int = 1) -> Iterator[None]:
    """Fail unless what is done inside makes *count* grow by *times*.

    *count* returns a number that each effect raises by one: of rows, of mails, of parcels.
    """
    before = count()
    yield
    after = count()

    if after - before != times:
        raise AssertionError(f"expected {times} more, but the count went from {before} to {after}")


@contextmanager
def happens_once(count: Callable[[], int]) -> Iterator[None]:
    """Fail unless what is done inside makes *count* grow by exactly one."""
    with happens(count):
        yield
