"""Run the benchmarks from the command line."""

import argparse
from collections.abc import Callable
from functools import partial

from tests.benchmarks import callbacks, gateway_figures, imports
from tests.benchmarks.figures import Figures

BENCHMARKS: dict[str, Callable[..., Figures]] = {
    "callbacks-postgresql": partial(callbacks.run, "postgresql"),
    "callbacks-sqlite": partial(callbacks.run, "sqlite"),
    "callbacks-mariadb": partial(callbacks.run, "mariadb"),
    "latency": gateway_figures.latency,
    "reconcile": gateway_figures.reconcile,
    "imports": imports.run,
}


def main() -> int:
    """Run what was asked for; 1 if a goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few requests: a look, no proof")
    parser.add_argument("--only", metavar="NAME", action="append", help="those that start so")
    parser.add_argument("--write", action="store_true", help="renew the tables in docs/")
    options = parser.parse_args()

    wanted = tuple(options.only or [""])
    missed = 0

    for name, run in BENCHMARKS.items():
        if not name.startswith(wanted):
            continue

        figures = run(quick=options.quick)
        missed += sum(not goal.met for goal in figures.goals)
        print(f"== {name}", figures.markdown(), *figures.goals, sep="\n", flush=True)

        if options.write:
            figures.write()

    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
