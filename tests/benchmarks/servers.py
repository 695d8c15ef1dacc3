"""gunicorn around one shop, and the requests that it is sent from another process."""

import os
import pickle
import subprocess
import sys
from collections import Counter

from tests.benchmarks.contenders import Contender, environment
from tests.crashes.server import ROOT, Server

#: As many as gunicorn advises (its documentation, design, "how many workers?"). With one for each
#: core, the cores idle while all workers wait for the disk, and what is measured is the disk.
WORKERS = 2 * (os.cpu_count() or 1) + 1


class Shop(Server):
    """The shop of *contender* on the database *url*, from `with` on."""

    def __init__(self, contender: Contender, url: str) -> None:
        app = f"tests.benchmarks.shops.{contender.name}:application"
        super().__init__(app, WORKERS, preload=False)
        self.environment = environment(url)
        self.python = contender.python()
        self.log = subprocess.DEVNULL
        self.contender = contender
        self.url = url

    def send(self, requests: list[bytes], *, at_once: int = 0) -> tuple[float, Counter[int]]:
        """Send *requests*, each so often *at_once*; return seconds, and answers by status code.

        They come from a process of its own, so that no server pays for the harness.
        """
        plan = pickle.dumps((self.port, requests, at_once, 2 * WORKERS))
        command = [sys.executable, "-m", "tests.benchmarks.load"]
        done = subprocess.run(command, input=plan, stdout=subprocess.PIPE, check=True, cwd=ROOT)
        found: tuple[float, Counter[int]] = pickle.loads(done.stdout)
        return found
