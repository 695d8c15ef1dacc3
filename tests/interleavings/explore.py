"""Explore: all schedules of two operations, or a sample of them that is always the same."""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.interleavings.operations import Act, Done
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


@dataclass
class Tally:
    """What was explored."""

    pairs: int = 0
    schedules: int = 0
    seconds: float = 0.0
    findings: list[Finding] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)


def all_pairs() -> list[Pair]:
    """Return each pair of each state, in both orders, and each operation with itself."""
    return [
        Pair(name, first, second)
        for name, state in STATES.items()
        for first, second in itertools.product(state.operations, repeat=2)
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
        return {"mysql": "mariadb"}.get(
            self.world.engine.dialect.name, self.world.engine.dialect.name
        )

    def explore(self, pair: Pair) -> Iterator[tuple[int, list[Finding]]]:
        """Play every schedule of *pair*; yield how many were played, and what was found."""
        self._at_rest.clear()
        yield 1, self._play(pair, None, 0).findings

        for at in range(1, MOST):
            for until in range(1, MOST):
                played = self._play(pair, at, until)

                if not played.stood:
                    return

                yield 1, played.findings

                if played.cut:
                    break

    def sample(self, pair: Pair, count: int) -> Iterator[tuple[int, list[Finding]]]:
        """Play *count* schedules of *pair*, always the same."""
        luck = random.Random(str(pair))
        played = self._play(pair, None, 0)
        yield 1, played.findings

        for _ in range(count - 1):
            at = luck.randint(1, max(1, min(played.first, MOST) - 1))
            until = luck.randint(1, max(1, min(played.second, MOST)))
            yield 1, self._play(pair, at, until).findings

    def play(self, pair: Pair, at: int | None, until: int) -> list[Finding]:
        """Play one schedule; return what was found."""
        return self._play(pair, at, until).findings

    def _play(self, pair: Pair, at: int | None, until: int) -> _Played:
        world = self.world
        moment = self._moment(pair.state)
        world.restore(moment)
        operations = STATES[pair.state].operations
        first = Operation(pair.first, lambda: _act(world, operations[pair.first]))
        second = Operation(pair.second, lambda: _act(world, operations[pair.second]), ahead=1.0)

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


def _act(world: World, act: Act) -> Done:
    return act(world)


def tally(explorer: Explorer, pairs: list[Pair], sample: int | None = None) -> Tally:
    """Explore *pairs*, or *sample* schedules of each."""
    result = Tally()
    began = time.monotonic()

    for pair in pairs:
        result.pairs += 1
        played = explorer.explore(pair) if sample is None else explorer.sample(pair, sample)

        for count, findings in played:
            result.schedules += count
            result.findings += findings
            result.kinds.update(each.what for each in findings)

    result.seconds = time.monotonic() - began
    return result
