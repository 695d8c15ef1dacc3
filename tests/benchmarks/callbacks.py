"""Callbacks over gunicorn: first deliveries, duplicates, rejected ones, and the race."""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from random import Random
from statistics import median

from tests.benchmarks.contenders import CONTENDERS, SHIPPED, Contender
from tests.benchmarks.databases import database, number
from tests.benchmarks.figures import Figures, Goal, ratio
from tests.benchmarks.servers import Shop

#: How often a request is sent, in this order: a database is busy for a while after what it has
#: written. What leaves nothing behind is sent several times: a tenth of a second tells too little.
WORKLOADS = {"rejected": 4, "first": 1, "duplicate": 2}

HEADER = (
    "requests a second (ratio to session, Core)",
    "first delivery",
    "duplicate",
    "rejected",
    "race",
)

#: Ours, whom we are measured against, the workload, and the least ratio. The handler is of the same
#: kind in both: built in Core, or one text of SQL.
GOALS = (
    ("ours", "hmac_only", "rejected", 0.95),
    ("ours", "session_core", "duplicate", 1.00),
    ("ours", "session_core", "first", 1.00),
    ("ours_sql", "dj_stripe", "first", 3.3),
)


@dataclass
class Results:
    """Seconds a request, a value per round, by workload and contender; and who was not exact."""

    seconds: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    races: dict[str, str] = field(default_factory=dict)
    mistakes: list[str] = field(default_factory=list)

    def ratio(self, ours: str, theirs: str, workload: str) -> float:
        """Tell how many times as fast as *theirs* a contender is."""
        return ratio(self.seconds[workload, ours], self.seconds[workload, theirs])


def run(kind: str, *, quick: bool) -> Figures:
    """Measure callbacks on a database of *kind*.

    Several times: one process of a server may be faster than the next by a tenth, for as long as it
    lives, and nothing but another process shows it.
    """
    results = Results()
    contenders = [each for each in CONTENDERS.values() if kind in each.databases]

    for left in reversed(range(1 if quick else 3)):
        races = 0 if left else 20 if quick else 200
        _measure(kind, contenders, 100 if quick else 250, races, results)

    names = [each.name for each in contenders]
    notes = list(results.mistakes)

    if "dj_stripe" in names:
        value = results.ratio("ours", "dj_stripe", "first")
        told = "first delivery with our Core handler, against dj-stripe's text of SQL"
        notes.insert(0, f"{told}: {value:.2f}")

    return Figures(
        f"callbacks-{kind}",
        HEADER,
        [_row(results, each) for each in contenders],
        [
            Goal(f"{workload}: {ours}, {theirs}", results.ratio(ours, theirs, workload), least)
            for ours, theirs, workload, least in GOALS
            if theirs in names
        ],
        notes,
    )


def _row(results: Results, contender: Contender) -> tuple[str, ...]:
    cells = []

    for workload in ("first", "duplicate", "rejected"):
        took = median(results.seconds[workload, contender.name])
        has_floor = (workload, "session_core") in results.seconds
        floor = results.ratio(contender.name, "session_core", workload) if has_floor else None
        cells.append(f"{1 / took:,.0f}" + (f" ({floor:.2f})" if floor else ""))

    return (contender.title, *cells, results.races.get(contender.name, "-"))


def _measure(
    kind: str, contenders: Sequence[Contender], requests: int, races: int, results: Results
) -> None:
    """Run each contender in turn, six times over, on a database of its own."""
    # The round before the first warms caches, prepared statements and pools.
    rounds = 1 + 6

    with ExitStack() as stack:
        shops = []

        for contender in contenders:
            url = stack.enter_context(database(kind))
            contender.manage(url, "create")
            contender.manage(url, "fill", 0, rounds * requests + races)
            shops.append(stack.enter_context(Shop(contender, url)))

        for this in range(rounds):
            numbers = range(this * requests, (this + 1) * requests)

            for workload in WORKLOADS:
                # Never in the same order: who comes after one that has written pays for it.
                for shop in Random(f"{this} {workload}").sample(shops, len(shops)):
                    seconds = _run(shop, workload, numbers, results)

                    if this > 0:
                        results.seconds[workload, shop.contender.name].append(seconds)

        if races:
            for shop in shops:
                _race(shop, range(rounds * requests, rounds * requests + races), results)


def _run(shop: Shop, workload: str, numbers: range, results: Results) -> float:
    """Return the seconds that a request took; note what was answered, recorded or shipped amiss."""
    contender = shop.contender
    rejected = workload == "rejected"
    requests = contender.requests(numbers, signed=not rejected) * WORKLOADS[workload]
    seconds, answers = shop.send(requests)
    status = contender.rejects_with if rejected else 200
    expected = numbers.start if rejected else numbers.stop

    if answers != {status: len(requests)}:
        results.mistakes.append(f"{contender.title}: {workload}: answers {dict(answers)}")

    if contender.recorded and _counts(shop) != (expected, expected):
        results.mistakes.append(f"{contender.title}: {workload}: {_counts(shop)} of {expected}")

    return seconds / len(requests)


def _race(shop: Shop, numbers: range, results: Results) -> None:
    """Send every body on eight connections at once; note what was recorded and shipped."""
    if shop.contender.recorded is None:
        return

    before = _counts(shop)
    shop.send(shop.contender.requests(numbers), at_once=8)
    recorded, shipped = (now - then for now, then in zip(_counts(shop), before, strict=True))
    is_exact = recorded == shipped == len(numbers)
    said = f"exact, {shipped}" if is_exact else f"{shipped} shipped"
    results.races[shop.contender.name] = f"{said} of {len(numbers)}"


def _counts(shop: Shop) -> tuple[int, int]:
    """Return how many reports are recorded, and how many orders are shipped."""
    return number(shop.url, shop.contender.recorded or ""), number(shop.url, SHIPPED)
