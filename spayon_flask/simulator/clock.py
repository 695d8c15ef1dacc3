"""The simulator's clock: it can be scaled or stepped, and it runs what falls due."""

import heapq
import itertools
import logging
import queue
import threading
import time
from collections.abc import Callable
from datetime import datetime
from datetime import timedelta
from datetime import timezone


logger = logging.getLogger(__name__)

Action = Callable[[], None]

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

#: Time is counted in whole ones, so that 299 seconds and one more are 300.
MICROSECOND = timedelta(microseconds=1)

#: A clock that ran faster would only skip.
FASTEST = 1_000_000

#: Seconds that one step may have.
FARTHEST = 366 * 24 * 3600

#: Threads that carry out what is due, so that one slow shop does not hold up another.
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


class Clock:
    """Tell the time, and run each action when its moment has come.

    Until `start` there are no threads, and what is due runs in the caller's. *scale* is how many
    of the clock's seconds pass in a real one; 0 stops it, so that only `step` moves it.
    """

    def __init__(self, *, scale: float = 1.0) -> None:
        # Reentrant, because the thread that watches hands over to the workers while it holds it.
        self._condition = threading.Condition()
        self._workers = Workers(self._condition)
        self._stepping = threading.Lock()
        self._alarms: list[tuple[int, int, Action]] = []
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None
        self._scale = _checked(scale)
        #: How often the clock was set or stepped.
        self.jumps = 0
        # What was shown when: one tuple, so that nobody reads half of a change.
        self._set = (time.time_ns() // 1000, time.monotonic())

    @property
    def running(self) -> bool:
        """Return True if threads of the clock's own run what is due."""
        return self._thread is not None

    @property
    def scale(self) -> float:
        """Return how many of the clock's seconds pass in a real one."""
        return self._scale

    @scale.setter
    def scale(self, scale: float) -> None:
        with self._condition:
            self._set = (self._time(), time.monotonic())
            self._scale = _checked(scale)
            self._condition.notify_all()

    def now(self) -> datetime:
        """Return the clock's time, aware and in UTC."""
        return EPOCH + self._time() * MICROSECOND

    def set(self, moment: datetime) -> None:
        """Show *moment* from now on; what has fallen due by then runs at once."""
        with self._condition:
            self._set = (_microseconds(moment), time.monotonic())
            self.jumps += 1
            self._condition.notify_all()

    @property
    def ahead(self) -> timedelta:
        """Return how far the clock is ahead of real time; less than nothing if it is behind."""
        return (self._time() - time.time_ns() // 1000) * MICROSECOND

    def back(self) -> None:
        """Show real time again; what was to happen later happens at its own time."""
        self.set(datetime.now(timezone.utc))

    def at(self, moment: datetime, action: Action) -> None:
        """Run *action* once when *moment* has come."""
        with self._condition:
            heapq.heappush(self._alarms, (_microseconds(moment), next(self._numbers), action))
            self._condition.notify_all()

    def soon(self, action: Action) -> None:
        """Run *action* as soon as a worker is free; right here if there are no workers."""
        if not self.running:
            action()
            return

        self._workers.submit(action)

    def step(self, seconds: float, *, settle: bool = True) -> None:
        """Move on by *seconds*; what falls due on the way runs in its order and at its own time.

        With *settle* off the clock jumps there at once and does not wait for anything.
        """
        if not 0 <= seconds <= FARTHEST:
            raise ValueError("the clock can be stepped by 0 seconds to a year, and never back")

        with self._stepping:
            if settle:
                self.settle()

            self.jumps += 1
            target = self._time() + round(seconds * 1_000_000)
            while True:
                with self._condition:
                    stop = self._alarms[0][0] if self._alarms and settle else target
                    stop = min(stop, target)
                    self._set = (max(stop, self._time()), time.monotonic())
                    self._condition.notify_all()

                if settle:
                    self.settle()

                if stop >= target:
                    return

    def settle(self, timeout: float = 15.0) -> bool:
        """Wait until nothing is due or under way; return True if that came within *timeout*."""
        if not self.running:
            while (action := self._pop()) is not None:
                action()

            return True

        with self._condition:
            return self._condition.wait_for(
                lambda: not self._workers.busy and not self._late(), timeout
            )

    def start(self) -> None:
        """Start the threads that run what is due."""
        self._thread = threading.Thread(target=self._watch, name="simulator-clock", daemon=True)
        self._thread.start()
        self._workers.start()

    def stop(self, patience: float = 0.3) -> None:
        """Stop the threads; one that waits for a shop longer than *patience* is left behind."""
        with self._condition:
            thread, self._thread = self._thread, None
            self._condition.notify_all()

        if thread is not None:
            thread.join(patience)
            self._workers.stop(patience)

    def _time(self) -> int:
        shown, read = self._set
        return shown + int((time.monotonic() - read) * self._scale * 1_000_000)

    def _late(self) -> bool:
        return bool(self._alarms) and self._alarms[0][0] <= self._time()

    def _pop(self) -> Action | None:
        with self._condition:
            return heapq.heappop(self._alarms)[2] if self._late() else None

    def _watch(self) -> None:
        with self._condition:
            while self.running:
                while (action := self._pop()) is not None:
                    self._workers.submit(action)

                self._condition.wait(self._pause())

    def _pause(self) -> float | None:
        if not self._alarms or not self._scale:
            return None

        pause = (self._alarms[0][0] - self._time()) / self._scale / 1_000_000
        return min(max(pause, 0.0), threading.TIMEOUT_MAX)


def _checked(scale: float) -> float:
    if not 0 <= scale <= FASTEST:
        raise ValueError(f"the time scale must be a number from 0 to {FASTEST}, such as 1 or 60")

    return scale


def _microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND
