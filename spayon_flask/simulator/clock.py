"""The simulator's clock: it can be scaled or stepped, and it runs what falls due."""

import heapq
import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

logger = logging.getLogger(__name__)

Action = Callable[[], None]

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

#: Time is counted in whole ones, so that 299 seconds and one more are 300.
MICROSECOND = timedelta(microseconds=1)

#: A clock that ran faster would only skip.
FASTEST = 1_000_000

#: Seconds that one step may have.
FARTHEST = 366 * 24 * 3600

#: Threads that wait for one shop at the same time; a slow shop does not hold up another.
WORKERS = 8

#: Seconds after which a running clock looks at the time again, which somebody may have set.
GLANCE = 0.5


class Workers:
    """Carry out actions in threads, those of one lane in a few; *changed* is notified after each.

    A lane is whom an action has to wait for: the origin of a shop, "" for nobody.
    """

    def __init__(self, changed: threading.Condition) -> None:
        #: How many actions are waiting or under way; read it with *changed* held.
        self.busy = 0
        self._changed = changed
        self._waiting: dict[str, deque[Action]] = {}
        self._threads: dict[threading.Thread, str] = {}

    def stop(self, patience: float) -> None:
        """Drop what waits; a thread that waits for a shop longer than *patience* is left behind."""
        with self._changed:
            self.busy -= sum(map(len, self._waiting.values()))
            self._waiting.clear()
            threads = list(self._threads)

        deadline = time.perf_counter() + patience
        for thread in threads:
            thread.join(max(0.0, deadline - time.perf_counter()))

    def submit(self, action: Action, lane: str = "") -> None:
        """Have *action* carried out as soon as a thread of its *lane* is free."""
        with self._changed:
            self.busy += 1
            self._waiting.setdefault(lane, deque()).append(action)
            if list(self._threads.values()).count(lane) < WORKERS:
                thread = threading.Thread(
                    target=self._work, args=(lane,), name="simulator-worker", daemon=True
                )
                self._threads[thread] = lane
                thread.start()

    def _work(self, lane: str) -> None:
        while (action := self._next(lane)) is not None:
            self._carry_out(action)
            with self._changed:
                self.busy -= 1
                self._changed.notify_all()

    def _next(self, lane: str) -> Action | None:
        """Return what is to be done; None if the thread at hand is needed no more."""
        with self._changed:
            waiting = self._waiting.get(lane)
            if waiting:
                return waiting.popleft()

            self._waiting.pop(lane, None)
            del self._threads[threading.current_thread()]
            return None

    def _carry_out(self, action: Action) -> None:
        try:
            action()
        except Exception:
            logger.exception("The simulator failed at something that was due")


class Clock:
    """Tell the time, and run each action when its moment has come.

    The clock goes by the wall clock alone, so that a test that freezes or moves time takes the
    simulator along. Until `start` there are no threads, and what is due runs in the caller's.
    *scale* is how many of the clock's seconds pass in a real one; 0 stops it, so that only `step`
    moves it.
    """

    def __init__(self, *, scale: float = 1.0) -> None:
        # Reentrant, because the thread that watches hands over to the workers while it holds it.
        self._condition = threading.Condition()
        self._workers = Workers(self._condition)
        self._stepping = threading.Lock()
        self._alarms: list[tuple[int, int, Action, str]] = []
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None
        self._first_scale = self._scale = _checked(scale)
        #: How often the clock was set or stepped.
        self.jumps = 0
        # What was shown when: one tuple, so that nobody reads half of a change.
        self._set = (_wall(), _wall())

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
            self._set = (self._time(), _wall())
            self._scale = _checked(scale)
            self._condition.notify_all()

    def now(self) -> datetime:
        """Return the clock's time, aware and in UTC."""
        return EPOCH + self._time() * MICROSECOND

    def set(self, moment: datetime) -> None:
        """Show *moment* from now on; what has fallen due by then runs at once."""
        with self._condition:
            self._set = (_microseconds(moment), _wall())
            self.jumps += 1
            self._condition.notify_all()

    @property
    def ahead(self) -> timedelta:
        """Return how far the clock is ahead of real time; less than nothing if it is behind."""
        return (self._time() - _wall()) * MICROSECOND

    def back(self) -> None:
        """Show real time again; what was to happen later happens at its own time."""
        self.set(EPOCH + _wall() * MICROSECOND)

    def reset(self) -> None:
        """Forget what was to happen, and go on from real time at the first speed."""
        with self._condition:
            self._alarms.clear()
            self.scale = self._first_scale
            self.back()

    def at(self, moment: datetime, action: Action, lane: str = "") -> None:
        """Run *action* once when *moment* has come, in the *lane* of whom it waits for."""
        with self._condition:
            alarm = (_microseconds(moment), next(self._numbers), action, lane)
            heapq.heappush(self._alarms, alarm)
            self._condition.notify_all()

    def soon(self, action: Action, lane: str = "") -> None:
        """Run *action* as soon as its *lane* is free; right here if the clock is not running."""
        if not self.running:
            action()
            return

        self._workers.submit(action, lane)

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
                    self._set = (max(stop, self._time()), _wall())
                    self._condition.notify_all()

                if settle:
                    self.settle()

                if stop >= target:
                    return

    def settle(self, timeout: float = 15.0) -> bool:
        """Wait until nothing is due or under way; return True if that came within *timeout*."""
        if not self.running:
            while (due := self._pop()) is not None:
                due[0]()

            return True

        with self._condition:
            return self._condition.wait_for(
                lambda: not self._workers.busy and not self._late(), timeout
            )

    def start(self) -> None:
        """Start the threads that run what is due."""
        self._thread = threading.Thread(target=self._watch, name="simulator-clock", daemon=True)
        self._thread.start()

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
        return shown + int((_wall() - read) * self._scale)

    def _late(self) -> bool:
        return bool(self._alarms) and self._alarms[0][0] <= self._time()

    def _pop(self) -> tuple[Action, str] | None:
        with self._condition:
            return heapq.heappop(self._alarms)[2:] if self._late() else None

    def _watch(self) -> None:
        with self._condition:
            while self.running:
                while (due := self._pop()) is not None:
                    self._workers.submit(*due)

                self._condition.wait(self._pause())

    def _pause(self) -> float | None:
        if not self._alarms or not self._scale:
            return None

        pause = (self._alarms[0][0] - self._time()) / self._scale / 1_000_000
        return min(max(pause, 0.0), GLANCE)


def _checked(scale: float) -> float:
    if not 0 <= scale <= FASTEST:
        raise ValueError(f"the time scale must be a number from 0 to {FASTEST}, such as 1 or 60")

    return scale


def _wall() -> int:
    """Return the real time in microseconds, or what a test has put in its place."""
    return time.time_ns() // 1000


def _microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND
