"""Turns: two operations in two threads, of which one runs while the other stands still.

An operation stands still ahead of each of its statements, of each commit, and of each call to the
gateway. These places are its *stops*.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest import mock

#: Seconds that an operation may run before the database is asked whether it waits for a lock.
PATIENCE = 0.004

#: Seconds after which two operations that get nowhere are a finding.
HANGS = 20.0


class HungError(Exception):
    """Neither of two operations gets anywhere."""


class Stop:
    """A place at which a thread of an operation stands; *asleep* says that it lets time pass."""

    def __init__(self, where: str, *, asleep: bool) -> None:
        self.where = where
        self.asleep = asleep
        self.passed = False


class Operation:
    """*work* in a thread of its own; *result* is what it returns, *error* what it raises.

    Its clock goes *ahead* of others by so many seconds, as those of two hosts are never the same.
    """

    def __init__(self, name: str, work: Callable[[], Any], *, ahead: float = 0.0) -> None:
        self.name = name
        self.ahead = ahead
        self.work = work
        self.stops: deque[Stop] = deque()
        self.passed = 0
        self.trail: list[str] = []
        self.done = False
        self.result: Any = None
        self.error: BaseException | None = None
        #: The connection of the last statement, as the driver knows it.
        self.connection: Any = None
        self.thread: threading.Thread | None = None

    @property
    def stands(self) -> bool:
        """Whether it is at a stop, or at its end."""
        return self.done or bool(self.stops)

    @property
    def sleeps(self) -> bool:
        """Whether it waits for time to pass."""
        return bool(self.stops) and self.stops[0].asleep


class Played(NamedTuple):
    """How a schedule went: whether the first stood at its place, and how far the second came.

    *cut* says that the second did not come to its own place, since it was blocked or at its end.
    """

    stood: bool
    reached: int
    cut: bool


Blocked = Callable[[Operation, Operation], bool]


class Turns:
    """Give two operations their turns; *blocked* tells whether the one waits for the other."""

    def __init__(self, blocked: Blocked) -> None:
        self._blocked = blocked
        self._turn = threading.Condition()
        self._of_thread: dict[int, Operation] = {}

    def stop(self, where: str, *, connection: Any = None, asleep: bool = False) -> None:
        """Stand still here, if the caller is a thread of an operation, until it is its turn."""
        operation = self.current()

        if operation is None:
            return

        stop = Stop(where, asleep=asleep)

        with self._turn:
            if connection is not None:
                operation.connection = connection

            operation.stops.append(stop)
            operation.trail.append(where)
            self._turn.notify_all()

            while not stop.passed:
                self._turn.wait()

    def current(self) -> Operation | None:
        """Return the operation that the calling thread belongs to."""
        return self._of_thread.get(threading.get_ident())

    @contextmanager
    def inherited(self) -> Iterator[None]:
        """Let threads that an operation starts belong to the operation."""
        start = threading.Thread.start

        def start_as_child(thread: threading.Thread) -> None:
            operation = self.current()

            if operation is not None:
                run = thread.run
                thread.run = lambda: self._belong(operation, run)  # type: ignore[method-assign]  # for this thread

            start(thread)

        with mock.patch.object(threading.Thread, "start", start_as_child):
            yield

    def play(self, first: Operation, second: Operation, at: int | None, until: int) -> Played:
        """Run *first* up to its stop *at*, *second* up to its stop *until*, then both to the end.

        With *at* None there is no stop: *first* runs to its end before *second* begins.
        """
        with self._begun(first):
            while not first.done and (at is None or first.passed < at):
                self._step(first)
                self._wait(first, second)

            stood = not first.done

            with self._begun(second):
                while stood and not second.done and second.passed < until and not second.sleeps:
                    self._step(second)

                    if not self._wait(second, first):
                        break

                reached, cut = second.passed, second.done or second.passed < until
                self._finish(first, second)

        return Played(stood, reached, cut)

    def _finish(self, first: Operation, second: Operation) -> None:
        deadline = time.monotonic() + HANGS

        while not (first.done and second.done):
            able = [each for each in (first, second) if not each.done and self._can_go(each)]
            awake = [each for each in able if not each.sleeps]

            for operation in awake[:1] or able[:1]:
                self._step(operation)
                self._wait(operation, second if operation is first else first)
                break

            else:
                with self._turn:
                    self._turn.wait(PATIENCE)

                if time.monotonic() > deadline:
                    where = [f"{each.name} at {each.trail[-1:]}" for each in (first, second)]
                    raise HungError(" and ".join(where))

    def _can_go(self, operation: Operation) -> bool:
        with self._turn:
            return bool(operation.stops)

    def _step(self, operation: Operation) -> None:
        with self._turn:
            if operation.stops:
                stop = operation.stops.popleft()
                stop.passed = True
                operation.passed += not stop.asleep and stop.where != "begin"
                self._turn.notify_all()

    def _wait(self, operation: Operation, other: Operation) -> bool:
        """Wait until *operation* stands; return False if *other* is in its way."""
        began = time.monotonic()
        patience = PATIENCE

        while True:
            with self._turn:
                if operation.stands or self._turn.wait_for(lambda: operation.stands, patience):
                    return True

            # On a machine that is busy with other things, to ask on and on is more work for it.
            patience = min(patience * 2, 0.064)

            if self._blocked(operation, other):
                return False

            if time.monotonic() - began > HANGS:
                raise HungError(f"{operation.name} at {operation.trail[-1:]}")

    @contextmanager
    def _begun(self, operation: Operation) -> Iterator[None]:
        thread = threading.Thread(
            target=self._belong, args=(operation, lambda: self._run(operation)), daemon=True
        )
        operation.thread = thread
        thread.start()
        self._wait(operation, operation)
        yield
        thread.join()

    def _run(self, operation: Operation) -> None:
        self.stop("begin")

        try:
            operation.result = operation.work()

        except BaseException as error:  # noqa: BLE001  a finding, or what the work is meant to do
            operation.error = error

        finally:
            with self._turn:
                operation.done = True
                self._turn.notify_all()

    def _belong(self, operation: Operation, run: Callable[[], object]) -> None:
        self._of_thread[threading.get_ident()] = operation

        try:
            run()

        finally:
            del self._of_thread[threading.get_ident()]
