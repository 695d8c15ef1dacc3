"""Explore every schedule of every pair of operations, and list what was explored.

`python -m tests.interleavings [--database sqlite] [--state WORDS] [--sample N] [--jobs N]`
exits with 1 if a promise was broken.
"""

import argparse
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.databases import ENGINES
from tests.interleavings.explore import Tally
from tests.interleavings.pieces import Piece, explore
from tests.interleavings.states import STATES


def main() -> int:
    """Explore what was asked for; 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.interleavings", description=__doc__)
    parser.add_argument("--database", action="append", choices=ENGINES)
    parser.add_argument("--state", default="", help="a part of the names of the states")
    parser.add_argument("--pair", default="", help="a part of the names of the pairs")
    parser.add_argument("--sample", type=int, help="so many schedules of each pair, and not all")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    pieces = [
        Piece(engine, state, options.sample, options.pair)
        for engine in options.database or ENGINES
        for state in STATES
        if options.state in state
    ]
    began = time.monotonic()
    totals: dict[str, list[Tally]] = {engine: [] for engine in options.database or ENGINES}

    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        for engine, tallies in pool.map(explore, pieces):
            totals[engine] += tallies
            _show(engine, tallies)

    for engine, tallies in totals.items():
        findings = [finding for each in tallies for finding in each.findings]
        print(
            f"{engine}: {len(tallies)} pairs, {sum(each.schedules for each in tallies)} schedules, "
            f"{sum(each.seconds for each in tallies):.0f} s, {len(findings)} findings"
        )

        for what, count in Counter(each.what for each in findings).most_common():
            print(f"  {engine}: {count} x {what}")

    print(f"{time.monotonic() - began:.0f} s in all")
    return 1 if any(each.findings for tallies in totals.values() for each in tallies) else 0


def _show(engine: str, tallies: list[Tally]) -> None:
    for each in tallies:
        found = f"{len(each.findings)} findings" if each.findings else "no findings"
        print(f"{engine:11}{each.schedules:5} {each.seconds:6.1f} s  {found:12}  {each.pair}")

        # The first of each kind.
        for finding in {found.what: found for found in reversed(each.findings)}.values():
            print(f"{'':14}at {finding.at} until {finding.until}: {finding.what}")

    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
