"""gunicorn around one shop: started, measured from outside, stopped."""

import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from tests.benchmarks.contenders import Contender
from tests.benchmarks.load import Outcome, Plan
from tests.benchmarks.shops import DATABASE

ROOT = Path(__file__).parent.parent.parent

#: As many as gunicorn advises (its documentation, design, "how many workers?"). With one for each
#: core, the cores idle while all workers wait for the disk, and what is measured is the disk.
WORKERS = 2 * (os.cpu_count() or 1) + 1


@dataclass(frozen=True, kw_only=True)
class Workers:
    """How gunicorn is run, the same for every contender."""

    count: int = WORKERS
    threads: int = 1

    @property
    def keep_alive(self) -> bool:
        """Sync workers close after every answer; threaded ones keep connections."""
        return self.threads > 1

    def arguments(self) -> list[str]:
        """Write this down as gunicorn's options."""
        kind = "gthread" if self.threads > 1 else "sync"
        return ["-w", str(self.count), "-k", kind, "--threads", str(self.threads)]


@dataclass(frozen=True, kw_only=True)
class Server:
    """A shop that is up."""

    contender: Contender
    port: int
    process: int
    workers: Workers
    url: str

    def requests(self, numbers: range, *, signed: bool = True) -> list[bytes]:
        """Write the deliveries of *numbers* out as this server's HTTP requests."""
        bodies = self.contender.bodies(numbers, signed=signed)
        return [body.request(keep_alive=self.workers.keep_alive) for body in bodies]

    def send(
        self, requests: list[bytes], *, connections: int | None = None, race: bool = False
    ) -> Outcome:
        """Send *requests* from a process of its own, over two connections a worker by default."""
        plan = Plan(
            port=self.port,
            requests=requests,
            connections=connections or 2 * self.workers.count,
            keep_alive=self.workers.keep_alive,
            race=race,
        )
        command = [sys.executable, "-m", "tests.benchmarks.load_process"]
        done = subprocess.run(
            command, input=pickle.dumps(plan), stdout=subprocess.PIPE, check=True, cwd=ROOT
        )
        outcome = pickle.loads(done.stdout)
        assert isinstance(outcome, Outcome)
        return outcome

    def processor_seconds(self) -> float:
        """Read how long its workers have been on a processor; 0 if the system does not say."""
        tasks = (
            task
            for child in _children(self.process)
            for task in Path(f"/proc/{child}/task").glob("*/schedstat")
        )
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def _children(process: int) -> list[int]:
    listing = Path(f"/proc/{process}/task/{process}/children")
    return [int(child) for child in listing.read_text().split()] if listing.exists() else []


def environment(url: str) -> dict[str, str]:
    """Tell a shop its database, and Python where this package is."""
    return {**os.environ, DATABASE: url, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": ""}


def manage(contender: Contender, url: str, command: str, *numbers: int) -> None:
    """Run a set-up command of the shop, in the shop's own environment."""
    subprocess.run(
        [
            contender.python(),
            "-m",
            "tests.benchmarks.shops.manage",
            contender.name,
            command,
            *map(str, numbers),
        ],
        env=environment(url),
        cwd=ROOT,
        check=True,
    )


@contextmanager
def serve(contender: Contender, url: str, workers: Workers) -> Iterator[Server]:
    """Run the shop under gunicorn, on a free port of loopback."""
    port = free_port()
    log = TemporaryFile()  # noqa: SIM115  closed below
    process = subprocess.Popen(
        [
            contender.python(),
            "-m",
            "gunicorn",
            *workers.arguments(),
            "--bind",
            f"127.0.0.1:{port}",
            "--log-level",
            "warning",
            "--keep-alive",
            "60",
            f"tests.benchmarks.shops.{contender.name}:application",
        ],
        env=environment(url),
        cwd=ROOT,
        # What a shop logs costs it something, so it is written; nobody needs to read it.
        stderr=log,
    )
    try:
        wait_for(port)
        yield Server(contender=contender, port=port, process=process.pid, workers=workers, url=url)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        log.close()


def free_port() -> int:
    """Ask the system for a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wait_for(port: int, *, seconds: float = 30) -> None:
    """Wait until somebody listens on *port*."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return

    raise TimeoutError(f"nothing listens on port {port} after {seconds:.0f} seconds")


def probe(name: str, url: str, api_url: str, number: int) -> dict[str, Any]:
    """Let a shop on the database *url* measure itself, in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.shops.probe", name, api_url, str(number)]
    done = subprocess.run(
        command, env=environment(url), cwd=ROOT, stdout=subprocess.PIPE, check=True
    )
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured
