"""Callbacks over gunicorn: first deliveries, duplicates, rejected ones, and the race."""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from random import Random

from tests.benchmarks.contenders import CONTENDERS, SHIPPED, Contender
from tests.benchmarks.databases import database, number
from tests.benchmarks.servers import Server, Workers, manage, serve

#: In this order: a database is busy for a while after what it has written.
WORKLOADS = ("rejected", "first", "duplicate")


@dataclass(frozen=True, kw_only=True)
class Race:
    """What became of bodies that were sent eight times at once."""

    bodies: int
    recorded: int
    shipped: int

    @property
    def exact(self) -> bool:
        """Return True if each was recorded once and its order shipped once."""
        return self.recorded == self.shipped == self.bodies


@dataclass(kw_only=True)
class Results:
    """Seconds a request, by workload and contender, a value per round; and who was not exact."""

    wall: dict[str, dict[str, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    processor: dict[str, dict[str, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    mistakes: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    races: dict[str, Race] = field(default_factory=dict)


def measure(
    kind: str,
    *,
    starts: int,
    rounds: int,
    requests: int,
    races: int,
    names: Sequence[str] = tuple(CONTENDERS),
) -> Results:
    """Run every contender in turn, *rounds* times over, on a database of *kind* each.

    All of that *starts* times: one process of a server may be faster than the next by a tenth, for
    as long as it lives, and nothing but another process shows it.
    """
    results = Results()
    contenders = [CONTENDERS[name] for name in names if kind in CONTENDERS[name].databases]
    for left in reversed(range(starts)):
        _measure(kind, contenders, rounds, requests, 0 if left else races, results)

    return results


def _measure(
    kind: str,
    contenders: Sequence[Contender],
    rounds: int,
    requests: int,
    races: int,
    results: Results,
) -> None:
    with ExitStack() as stack:
        servers = [
            _start(stack, kind, contender, orders=(rounds + 1) * requests + races)
            for contender in contenders
        ]
        # The round before the first warms caches, prepared statements and pools.
        for this in range(rounds + 1):
            numbers = range(this * requests, (this + 1) * requests)
            for workload in WORKLOADS:
                # Never in the same order: who comes after one that has written pays for it.
                for server in Random(f"{this} {workload}").sample(servers, len(servers)):
                    _run(server, workload, numbers, results, counts=this > 0)

        if races:
            first = (rounds + 1) * requests
            for server in servers:
                _race(server, range(first, first + races), results)


def _start(stack: ExitStack, kind: str, contender: Contender, *, orders: int) -> Server:
    url = stack.enter_context(database(kind, contender.name))
    manage(contender, url, "create")
    manage(contender, url, "fill", 0, orders)
    return stack.enter_context(serve(contender, url, Workers()))


def _run(server: Server, workload: str, numbers: range, results: Results, *, counts: bool) -> None:
    contender = server.contender
    # What leaves nothing behind is sent several times: a tenth of a second is too short to tell.
    times = {"rejected": 4, "first": 1, "duplicate": 2}[workload]
    requests = server.requests(numbers, signed=workload != "rejected") * times
    before = server.processor_seconds()
    outcome = server.send(requests)
    if counts:
        spent = server.processor_seconds() - before
        results.wall[workload][contender.name].append(outcome.seconds / len(requests))
        results.processor[workload][contender.name].append(spent / len(requests))

    status = contender.rejects_with if workload == "rejected" else 200
    if outcome.answers != {status: len(requests)}:
        results.mistakes[contender.name].append(f"{workload}: answers {dict(outcome.answers)}")

    expected = numbers.start if workload == "rejected" else numbers.stop
    _compare(server, expected, workload, results)


def _compare(server: Server, expected: int, workload: str, results: Results) -> None:
    contender = server.contender
    if contender.recorded is None:
        return

    recorded = number(server.url, contender.recorded)
    shipped = number(server.url, SHIPPED)
    if (recorded, shipped) != (expected, expected):
        results.mistakes[contender.name].append(
            f"{workload}: {recorded} recorded and {shipped} shipped of {expected}"
        )


def _race(server: Server, numbers: range, results: Results) -> None:
    """Send every body on eight connections at once; note what was recorded and shipped."""
    contender = server.contender
    if contender.recorded is None:
        return

    recorded = number(server.url, contender.recorded)
    shipped = number(server.url, SHIPPED)
    server.send(server.requests(numbers), connections=8, race=True)
    results.races[contender.name] = Race(
        bodies=len(numbers),
        recorded=number(server.url, contender.recorded) - recorded,
        shipped=number(server.url, SHIPPED) - shipped,
    )
