"""The callback benchmark's tables and goals."""

from statistics import median

from tests.benchmarks import callbacks
from tests.benchmarks.callbacks import Results
from tests.benchmarks.contenders import CONTENDERS
from tests.benchmarks.databases import NAMES
from tests.benchmarks.documents import Table
from tests.benchmarks.reports import Figures, Goal
from tests.benchmarks.rounds import ratio, spread

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


def run(kind: str, *, quick: bool) -> Figures:
    """Measure callbacks on a database of *kind*."""
    results = callbacks.measure(
        kind,
        starts=1 if quick else 3,
        rounds=6,
        requests=100 if quick else 250,
        races=20 if quick else 200,
    )
    table = Table(HEADER, [_row(results, name) for name in _names(results)])
    return Figures(
        name=f"callbacks-{kind}",
        table=table,
        goals=[] if kind == "mariadb" else _goals(results, kind),
        notes=[
            *(_with_core(results) if kind == "postgresql" else ()),
            *(
                f"{CONTENDERS[name].title}: {mistakes[0]}"
                for name, mistakes in results.mistakes.items()
            ),
        ],
    )


def _names(results: Results) -> list[str]:
    return [name for name in CONTENDERS if name in results.wall["rejected"]]


def _row(results: Results, name: str) -> tuple[str, ...]:
    cells = []
    for workload in ("first", "duplicate", "rejected"):
        seconds = results.wall[workload][name]
        floor = results.wall[workload].get("session_core")
        against = f" ({ratio(seconds, floor):.2f})" if floor else ""
        cells.append(f"{1 / median(seconds):,.0f}{against}")

    return (CONTENDERS[name].title, *cells, _race(results, name))


def _race(results: Results, name: str) -> str:
    if name not in results.races:
        return "-"

    race = results.races[name]
    if race.exact:
        return f"exact, {race.bodies} of {race.bodies}"

    return f"{race.shipped} shipped of {race.bodies}"


def _with_core(results: Results) -> list[str]:
    """Say what is left of the lead over dj-stripe if our handler alone is built in Core."""
    first = results.wall["first"]
    value = ratio(first["ours"], first["dj_stripe"])
    return [f"first delivery with our Core handler, against dj-stripe's text of SQL: {value:.2f}"]


def _goals(results: Results, kind: str) -> list[Goal]:
    goals = []
    for ours, theirs, workload, least in GOALS:
        # Its goal is one for PostgreSQL: under SQLite's lock all wait alike.
        if theirs == "dj_stripe" and kind != "postgresql":
            continue

        mine, other = results.wall[workload][ours], results.wall[workload][theirs]
        if not mine or not other:
            continue

        cost = results.processor[workload]
        goals.append(
            Goal(
                what=f"{workload} callback, {CONTENDERS[ours].title}, against"
                f" {CONTENDERS[theirs].title} ({NAMES[kind]})",
                least=least,
                value=ratio(mine, other),
                note=f"by processor time {ratio(cost[ours], cost[theirs]):.2f};"
                f" rounds within {max(spread(mine), spread(other)):.0%}",
            )
        )

    return goals
