"""The clock: scaled, stepped, and never early."""

import threading
from datetime import datetime, timedelta

import pytest

from spayon_flask.simulator.clock import Clock


class Diary:
    """Note the clock's time whenever it is called."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.start = clock.now()
        self.entries: list[float] = []
        self.full = threading.Event()

    def __call__(self) -> None:
        """Make an entry, in seconds since the start."""
        self.entries.append((self.clock.now() - self.start).total_seconds())
        self.full.set()

    def after(self, seconds: float) -> datetime:
        """Return the moment *seconds* after the start."""
        return self.start + timedelta(seconds=seconds)


def fail() -> None:
    """Be what nobody has foreseen."""
    raise ZeroDivisionError


def wait_for(gate: threading.Event) -> None:
    """Be slow until *gate* opens."""
    gate.wait(5)


def test_what_falls_due_during_a_step_runs_at_its_own_time_and_in_order() -> None:
    """Not all at once at the end."""
    clock = Clock(scale=0)
    diary = Diary(clock)
    for seconds in (30, 10, 20):
        clock.at(diary.after(seconds), diary)

    clock.step(60)

    assert diary.entries == [10, 20, 30]


def test_what_an_action_plans_for_the_same_step_happens_in_it() -> None:
    """As the second attempt to deliver does, five minutes after the first."""
    clock = Clock(scale=0)
    diary = Diary(clock)
    clock.at(diary.after(10), lambda: clock.at(diary.after(15), diary))
    clock.step(60)

    assert diary.entries == [15]


def test_a_stopped_clock_moves_only_by_steps_and_nothing_happens_early() -> None:
    """Not even by a microsecond."""
    clock = Clock(scale=0)
    diary = Diary(clock)
    clock.at(diary.after(10), diary)
    clock.step(9.999999)
    assert diary.entries == []

    clock.step(0.000001)
    assert diary.entries == [10]
    assert clock.now() == diary.after(10)


def test_a_jump_leaves_out_what_lies_between() -> None:
    """It happens afterwards, once somebody settles."""
    clock = Clock(scale=0)
    diary = Diary(clock)
    clock.at(diary.after(10), diary)
    clock.step(60, settle=False)
    clock.settle()

    assert diary.entries == [60]


def test_a_running_clock_runs_what_is_due_by_itself_and_can_be_sped_up() -> None:
    """In a thread of its own, which is woken; scaled, an hour passes in no time."""
    clock = Clock(scale=0)
    diary = Diary(clock)
    clock.start()
    clock.at(diary.after(3600), diary)
    clock.scale = 36_000

    assert diary.full.wait(5)
    assert diary.entries[0] >= 3600
    clock.stop()


def test_an_action_that_fails_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the next one runs."""
    clock = Clock(scale=0)
    diary = Diary(clock)
    clock.start()
    clock.soon(fail)
    clock.soon(diary)

    assert clock.settle(5)
    assert diary.entries == [0]
    assert "ZeroDivisionError" in caplog.text
    clock.stop()


def test_settling_says_when_it_took_too_long() -> None:
    """Rather than waiting for ever."""
    clock = Clock(scale=0)
    gate = threading.Event()
    clock.start()
    clock.soon(lambda: wait_for(gate))

    assert not clock.settle(0.01)
    gate.set()
    assert clock.settle(5)
    clock.stop()


def test_a_clock_does_not_go_back() -> None:
    """Neither by a step nor by its scale."""
    with pytest.raises(ValueError, match="never back"):
        Clock().step(-1)

    with pytest.raises(ValueError, match="from 0 to"):
        Clock(scale=-1)
