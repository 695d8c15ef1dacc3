"""Explore: all schedules of two operations, or a sample of them that is always the same."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from tests.interleavings.operations import Done
from tests.interleavings.promises import broken, broken_at_rest
from tests.interleavings.states import STATES
from tests.interleavings.turns import HungError, Operation
from tests.interleavings.world import Moment, Rows, World, fingerprint

#: Stops of one operation that are tried, at most; beyond are only repetitions of a wait.
MOST = 40


class Pair(NamedTuple):
    """Two operations that begin in one state; the *first* is the one that stands still first."""

    state: str
    first: str
    second: str

    def __str__(self) -> str:
        return f"{self.state}: {self.first} | {self.second}"


class Finding(NamedTuple):
    """A promise that did not hold; *at* and *until* tell at which stops the operations stood."""

    pair: Pair
    at: int | None
    until: int
    what: str
    trail: str


class Tally(NamedTuple):
    """What was explored of a pair."""

    pair: Pair
    schedules: int
    findings: list[Finding]
    seconds: float


def all_pairs() -> list[Pair]:
    """Return each pair of each state, in both orders, and each operation with itself."""
    return [
        Pair(name, first, second)
        for name, state in STATES.items()
        for first, second in itertools.product([each.name for each in state.operations], repeat=2)
    ]


class Explorer:
    """Explore in *world*."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._moments: dict[str, Moment] = {}
        self._at_rest: dict[tuple[str, str], list[str]] = {}

    @property
    def engine(self) -> str:
        """The engine, as `tests.databases` calls it."""
        name = self.world.engine.dialect.name
        return "mariadb" if name == "mysql" else name

    def explore(self, pair: Pair, sample: int | None = None) -> Tally:
        """Play every schedule of *pair*, or a *sample* of so many, always the same."""
        self._at_rest.clear()
        began = time.monotonic()
        played = list(self._all(pair) if sample is None else self._sample(pair, sample))
        findings = [finding for each in played for finding in each.findings]
        return Tally(pair, len(played), findings, time.monotonic() - began)

    def _all(self, pair: Pair) -> Iterator[_Played]:
        yield self._play(pair, None, 0)

        for at in range(1, MOST):
            for until in range(1, MOST):
                played = self._play(pair, at, until)

                if not played.stood:
                    return

                yield played

                if played.cut:
                    break

    def _sample(self, pair: Pair, count: int) -> Iterator[_Played]:
        luck = random.Random(str(pair))
        whole = self._play(pair, None, 0)
        yield whole

        for _ in range(count - 1):
            at = luck.randint(1, max(1, min(whole.first, MOST) - 1))
            until = luck.randint(1, max(1, min(whole.second, MOST)))
            yield self._play(pair, at, until)

    def _play(self, pair: Pair, at: int | None, until: int) -> _Played:
        world = self.world
        moment = self._moment(pair.state)
        world.restore(moment)
        act = STATES[pair.state].operation
        first = Operation(pair.first, partial(act(pair.first), world))
        second = Operation(pair.second, partial(act(pair.second), world), ahead=1.0)

        try:
            played = world.turns.play(first, second, at, until)

        except HungError as error:
            raise RuntimeError(f"{pair} at {at} until {until}: {error}") from error

        trail = f"{first.trail} {second.trail}"
        wrong = [
            f"{each.name} raised {each.error!r}"
            for each in (first, second)
            if each.error is not None
        ]

        if not wrong:
            done = [first.result, second.result]
            rows = world.rows()
            wrong = broken(rows, moment.rows, done)
            wrong += self._rest(pair, moment, rows, done)

        findings = [Finding(pair, at, until, what, trail) for what in dict.fromkeys(wrong)]
        return _Played(played.stood, played.cut, first.passed, second.passed, findings)

    def _rest(self, pair: Pair, moment: Moment, rows: Rows, done: list[Done]) -> list[str]:
        """Let it come to rest, unless the same end has come to rest before."""
        key = pair.state, fingerprint(self.world, rows) + str([each.what for each in done])

        if key not in self._at_rest:
            self._at_rest[key] = broken_at_rest(self.world, moment.rows, done)

        return self._at_rest[key]

    def _moment(self, state: str) -> Moment:
        if state not in self._moments:
            self.world.begin_anew()
            STATES[state].build(self.world)
            self._moments[state] = self.world.keep()

        return self._moments[state]


class _Played(NamedTuple):
    stood: bool
    cut: bool
    first: int
    second: int
    findings: list[Finding]
