"""What one worker, one host and many hosts on one PostgreSQL carry: measured, then simulated.

Measured is what a first delivery takes of the processors, in a worker and in PostgreSQL. Simulated
is how hosts share one database: arrivals at random, a worker held until its commit is done.
"""

import heapq
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.contenders import CONTENDERS
from tests.benchmarks.databases import connect
from tests.benchmarks.databases import database
from tests.benchmarks.documents import Table
from tests.benchmarks.reports import Figures
from tests.benchmarks.rounds import percentile
from tests.benchmarks.servers import Server
from tests.benchmarks.servers import Workers
from tests.benchmarks.servers import manage
from tests.benchmarks.servers import serve


#: A host and a database server of this size, each.
CORES = 2

#: A load is carried if 99 of 100 callbacks are answered within that.
PATIENCE = 0.25

HOSTS = (1, 2, 4, 8, 16)
BACKENDS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Processor seconds of one first delivery: in the worker, and in PostgreSQL."""

    worker: float
    database: float


def measure(*, requests: int) -> Costs:
    """Let one worker take *requests* first deliveries, and read both processor times."""
    contender = CONTENDERS["ours"]
    with database("postgresql", "capacity") as url:
        manage(contender, url, "create")
        manage(contender, url, "fill", 0, 2 * requests)
        with serve(contender, url, Workers(count=1)) as server:
            server.send(server.requests(range(requests)))
            before = server.processor_seconds(), _backends(server)
            server.send(server.requests(range(requests, 2 * requests)))
            after = server.processor_seconds(), _backends(server)

    worker, backend = ((end - start) / requests for start, end in zip(before, after, strict=True))
    return Costs(worker=worker, database=backend)


def _backends(server: Server) -> float:
    """Read how long the backends of this server's connections have been on a processor."""
    with connect(server.url) as connection:
        own = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        pids = [pid for pid in connection.exec_driver_sql(BACKENDS).scalars() if pid != own]

    statistics = (Path(f"/proc/{pid}/schedstat") for pid in pids)
    return sum(int(path.read_text().split()[0]) for path in statistics if path.exists()) / 1e9


def carried(costs: Costs, *, workers: int, arrivals: int = 20_000) -> float:
    """Find the rate at which *workers* on one database still answer in time."""
    # Nothing carries more than its parts can do, however short a simulation is.
    busy = costs.worker + costs.database
    lowest, highest = 0.0, min(workers / busy, CORES / costs.database)
    for _ in range(12):
        rate = (lowest + highest) / 2
        if (
            percentile(simulate(costs, workers=workers, rate=rate, arrivals=arrivals), 0.99)
            < PATIENCE
        ):
            lowest = rate
        else:
            highest = rate

    return lowest


def simulate(costs: Costs, *, workers: int, rate: float, arrivals: int) -> Sequence[float]:
    """Let *arrivals* come at random at *rate*; return how long each waited for its answer."""
    chance = random.Random(6)
    free_workers = [0.0] * workers
    free_cores = [0.0] * CORES
    now = 0.0
    answered = []
    for _ in range(arrivals):
        now += chance.expovariate(rate)
        begun = max(now, heapq.heappop(free_workers))
        asked = begun + costs.worker
        committed = max(asked, heapq.heappop(free_cores)) + costs.database
        heapq.heappush(free_cores, committed)
        heapq.heappush(free_workers, committed)
        answered.append(committed - now)

    return answered


def run(*, quick: bool) -> Figures:
    """Measure the costs and simulate one worker, one host, and more hosts."""
    costs = measure(requests=200 if quick else 1000)
    arrivals = 4000 if quick else 20_000
    setups = [("one worker", 1), *((_hosts(count), count * CORES) for count in HOSTS)]
    wall = CORES / costs.database
    rates = [(name, carried(costs, workers=workers, arrivals=arrivals)) for name, workers in setups]
    return Figures(
        name="capacity",
        page="capacity.md",
        table=Table(
            ("", "first deliveries a second", "of what PostgreSQL can do"),
            [(name, f"{rate:,.0f}", f"{rate / wall:.0%}") for name, rate in rates],
        ),
        notes=[_measured(costs, wall)],
    )


def _measured(costs: Costs, wall: float) -> str:
    return (
        f"Measured: {costs.worker * 1000:.2f} ms of processor time in the worker and"
        f" {costs.database * 1000:.2f} ms in PostgreSQL for a first delivery. A host and the"
        f" database server have {CORES} cores each, so PostgreSQL ends at {wall:,.0f} a second."
    )


def _hosts(count: int) -> str:
    return f"{count} host{'s' if count > 1 else ''}, {CORES * count} workers"
