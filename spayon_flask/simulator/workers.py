"""Threads that carry out what is due: one slow shop does not hold up another."""

import logging
import queue
import threading
import time
from collections.abc import Callable


logger = logging.getLogger(__name__)

Action = Callable[[], None]

#: How many there are.
WORKERS = 8


class Workers:
    """Carry out actions, each in one of a few threads; *changed* is notified after each."""

    def __init__(self, changed: threading.Condition) -> None:
        #: How many actions are waiting or under way; read it with *changed* held.
        self.busy = 0
        self._changed = changed
        self._waiting: queue.SimpleQueue[Action | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start the threads."""
        self._threads = [
            threading.Thread(target=self._work, name=f"simulator-worker-{number}", daemon=True)
            for number in range(WORKERS)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self, patience: float) -> None:
        """Stop the threads; one that waits for a shop longer than *patience* is left behind."""
        for _ in self._threads:
            self._waiting.put(None)

        deadline = time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def submit(self, action: Action) -> None:
        """Have *action* carried out as soon as a thread is free."""
        with self._changed:
            self.busy += 1

        self._waiting.put(action)

    def _work(self) -> None:
        while (action := self._waiting.get()) is not None:
            self._carry_out(action)
            with self._changed:
                self.busy -= 1
                self._changed.notify_all()

    def _carry_out(self, action: Action) -> None:
        try:
            action()
        except Exception:
            logger.exception("The simulator failed at something that was due")
