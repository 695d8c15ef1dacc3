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
from tests.interleavings.explore import Finding, Tally
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
    totals = {engine: Tally() for engine in options.database or ENGINES}
    kinds: Counter[tuple[str, str]] = Counter()

    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        for piece, tallies in pool.map(explore, pieces):
            _show(piece, tallies)

            for each in tallies.values():
                total = totals[piece.engine]
                total.pairs += each.pairs
                total.schedules += each.schedules
                total.seconds += each.seconds
                total.findings += each.findings
                kinds.update({(piece.engine, what): n for what, n in each.kinds.items()})

    for engine, total in totals.items():
        print(
            f"{engine}: {total.pairs} pairs, {total.schedules} schedules, "
            f"{total.seconds:.0f} s, {len(total.findings)} findings"
        )

    for (engine, what), count in kinds.most_common():
        print(f"  {engine}: {count} x {what}")

    print(f"{time.monotonic() - began:.0f} s in all")
    return 1 if any(each.findings for each in totals.values()) else 0


def _show(piece: Piece, tallies: dict[str, Tally]) -> None:
    for pair, each in tallies.items():
        found = f"{len(each.findings)} findings" if each.findings else "no findings"
        print(f"{piece.engine:11}{each.schedules:5} {each.seconds:6.1f} s  {found:12}  {pair}")

        for finding in _one_of_each_kind(each.findings):
            print(f"{'':14}at {finding.at} until {finding.until}: {finding.what}")

    sys.stdout.flush()


def _one_of_each_kind(findings: list[Finding]) -> list[Finding]:
    return list({each.what: each for each in reversed(findings)}.values())


if __name__ == "__main__":
    raise SystemExit(main())
