"""Crew: threads that take one thing after another off a queue."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from contextlib import nullcontext
from queue import SimpleQueue
from typing import Generic
from typing import TypeVar


_T = TypeVar("_T")


class Crew(Generic[_T]):
    """Do *work*, which must not raise, in *size* threads that are called *name*, inside *around*.

    An executor would do as well, but it makes a future of each thing, and nobody here would ask for
    one. With dozens of threads that is a thirtieth of what a payment takes.
    """

    def __init__(
        self,
        work: Callable[[_T], object],
        size: int,
        name: str,
        *,
        around: AbstractContextManager[None] | None = None,
    ) -> None:
        self._work = work
        self._names = [f"{name}_{number}" for number in range(size)]
        self._around = around or nullcontext()
        self._queue: SimpleQueue[_T | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> None:
        try:
            for name in self._names:
                thread = threading.Thread(target=self._go, name=name)
                thread.start()
                self._threads.append(thread)

        except RuntimeError:
            # The system gives us no more of them. Those that there are would wait for ever.
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        for _thread in self._threads:
            self._queue.put(None)

        for thread in self._threads:
            thread.join()

    def submit(self, thing: _T) -> None:
        """Have *thing* done as soon as a thread is free; whatever is submitted will be."""
        self._queue.put(thing)

    def _go(self) -> None:
        with self._around:
            while (thing := self._queue.get()) is not None:
                self._work(thing)
