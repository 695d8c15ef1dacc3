"""What importing us adds to a process that has flask, flask_sqlalchemy and requests already."""

import compileall
import json
import subprocess
import sys
from statistics import median

from tests.benchmarks.figures import Figures, Goal
from tests.crashes.server import ROOT

#: Run in a process of its own: seconds and bytes of the base, then of ours on top of it.
PROGRAM = """
import json, time

def memory():
    with open("/proc/self/statm") as statistics:
        return int(statistics.read().split()[1]) * 4096

before = memory()
began = time.process_time()
import flask, flask_sqlalchemy, requests
base = time.process_time() - began
held = memory()
began = time.process_time()
from spayon_flask import Order, Spayon
ours = time.process_time() - began
print(json.dumps([base, ours, held - before, memory() - held]))
"""


def run(*, quick: bool) -> Figures:
    """Import in fresh processes, and compare their medians."""
    # As an installed package is: nobody compiles at every start.
    compileall.compile_dir(ROOT / "spayon_flask", quiet=1)
    outcomes = [_import() for _ in range(5 if quick else 25)]
    base, ours, held, added = (median(values) for values in zip(*outcomes, strict=True))
    share = median(100 * own / other for other, own, *_ in outcomes)
    return Figures(
        "imports",
        ("import", "processor time", "memory"),
        [
            (
                "flask, flask_sqlalchemy, requests",
                f"{base * 1000:.0f} ms",
                f"{held / 2**20:.1f} MB",
            ),
            ("spayon_flask on top of them", f"{ours * 1000:.1f} ms", f"{added / 2**20:.2f} MB"),
        ],
        [Goal("import time added to flask, flask_sqlalchemy and requests, in %", share, most=5)],
    )


def _import() -> list[float]:
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    figures: list[float] = json.loads(done.stdout)
    return figures
