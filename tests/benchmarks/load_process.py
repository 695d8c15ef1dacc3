"""The process that the load generator runs in."""

import os
import pickle
import sys

from tests.benchmarks.load import run


def main() -> None:
    """Run the plan on standard input, on the last core, so that servers may have the others."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

    pickle.dump(run(pickle.load(sys.stdin.buffer)), sys.stdout.buffer)


if __name__ == "__main__":
    main()
