"""The simulator with 10,000 sessions and 30,000 deliveries: its pages, its memory, and a kill."""

import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from statistics import median

from spayon_flask.simulator import Simulator
from tests.benchmarks.documents import Table
from tests.benchmarks.reports import Figures
from tests.benchmarks.reports import Goal
from tests.benchmarks.servers import ROOT


#: Run in a process of its own: fills a simulator, says so, and goes on until it is killed.
PROGRAM = """
import sys, time
from spayon_flask.simulator import Simulator
from spayon_flask.simulator.transport import Answer

path, count = sys.argv[1], int(sys.argv[2])
sim = Simulator(state=path, transport=lambda url, body, headers: Answer(200, b"ok")).start()
client = sim.app.test_client()
credentials = {"client_id": sim.client_id, "client_secret": sim.client_secret}
token = client.post("/api/tokens", json=credentials).json["access_token"]
headers = {"Authorization": f"Bearer {token}"}

def create(number):
    body = {"product_name": "Coffee", "price": 4500, "currency": "amd", "order_id": f"A-{number}",
            "callback_url": "http://127.0.0.1:9/pay/callback"}
    answer = client.post("/api/product/session", json=body, headers=headers)
    return answer.json["session_id"]

for round in range(2):
    for number in range(count):
        session_id = create(number)
        sim.pay(session_id)
        sim.deliver(session_id, times=2)

    print(sim.url, session_id, flush=True)
    sys.stdin.readline()

number = 0
while True:
    number += 1
    print(create(f"late-{number}"), time.time(), flush=True)
    time.sleep(0.01)
"""

SESSIONS = 10_000
PAGES = (
    ("the list of sessions", ""),
    ("sessions found by a part of a price", "?q=4,500"),
    ("sessions of which none is found", "?q=nothing-like-it"),
    ("the last page of sessions", "?page=199"),
    ("one session", "sessions/{}"),
    ("its story as JSON", "sessions/{}/story.json"),
    ("the list of requests", "requests"),
    ("the list of callbacks", "deliveries"),
    ("callbacks by origin", "deliveries?kind=by+hand&page=100"),
    ("one callback", "deliveries/{}"),
    ("faults", "faults"),
    ("setup", "setup"),
)


def run(*, quick: bool) -> Figures:
    """Fill a simulator, ask for its pages, kill it, and look at what is left."""
    count = SESSIONS // 20 if quick else SESSIONS
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "simulator.json"
        command = [sys.executable, "-c", PROGRAM, str(path), str(count)]
        with subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as program:
            assert program.stdin is not None
            assert program.stdout is not None
            url, session_id = program.stdout.readline().split()
            pages = [
                (name, _seconds(url, page.format(session_id if "sess" in page else 3 * count)))
                for name, page in PAGES
            ]
            memory = [_memory(program.pid)]
            program.stdin.write("\n")
            program.stdin.flush()
            program.stdout.readline()
            memory.append(_memory(program.pid))
            program.stdin.write("\n")
            program.stdin.flush()
            made = [program.stdout.readline().split() for _ in range(300)]
            program.kill()
            killed = time.time()
            made += [line.split() for line in program.stdout if line.endswith("\n")]

        size = path.stat().st_size
        began = time.perf_counter()
        with Simulator(state=path) as restored:
            started = time.perf_counter() - began
            lost = [float(at) for made_id, at in made if made_id not in restored.sessions]
            kept = len(restored.sessions), len(list(restored.deliveries))

    rows = [(name, f"{1000 * seconds:.0f} ms") for name, seconds in pages]
    rows += [
        (f"memory with {count:,} sessions, {3 * count:,} callbacks", f"{memory[0]:.0f} MB"),
        (f"memory after {2 * count:,} sessions, {6 * count:,} callbacks", f"{memory[1]:.0f} MB"),
        ("state file", f"{size / 2**20:.0f} MB"),
        (f"started again with {kept[0]:,} sessions, {kept[1]:,} callbacks", f"{started:.1f} s"),
    ]
    return Figures(
        name="simulator",
        page="simulator.md",
        table=Table(("", "measured"), rows),
        goals=[
            Goal(
                what="slowest page",
                most=300,
                value=1000 * max(seconds for _, seconds in pages),
                unit=" ms",
            ),
            Goal(what="memory", most=600, value=memory[1], unit=" MB"),
            Goal(
                what="lost by `kill -9`",
                most=1,
                value=killed - min(lost, default=killed),
                unit=" s",
                note=f"{len(lost)} of {len(made)} sessions made in the last seconds",
            ),
        ],
    )


def _seconds(url: str, page: str) -> float:
    """Return how long *page* takes, by the median of seven."""
    times = []
    for _ in range(7):
        began = time.perf_counter()
        with urllib.request.urlopen(f"{url}/_simulator/{page}") as answer:
            answer.read()

        times.append(time.perf_counter() - began)

    return median(times)


def _memory(pid: int) -> float:
    """Return the memory that a process holds, in megabytes."""
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * 4096 / 2**20
