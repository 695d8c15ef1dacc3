"""The demo store over real HTTP, as a person starts it."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


def environment(**settings: object) -> dict[str, str]:
    """Give a process of its own *settings*, and whatever else this one has."""
    own = {f"FLASK_{key}": str(value) for key, value in settings.items()}
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("FLASK_")}

    return {**inherited, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **own}


@dataclass
class Running:
    """`python demo_app.py` in a folder of its own, and what it has printed so far."""

    process: subprocess.Popen[str]
    printed: str

    @property
    def store(self) -> str:
        """Give the URL of the store."""
        return self.url("The store")

    @property
    def simulator(self) -> str:
        """Give the URL of the simulator."""
        return self.url("Payments go to")

    def url(self, what: str) -> str:
        """Give the URL that was printed for *what*."""
        found = re.search(rf"^{what}: +(http\S+?)/?$", self.printed, re.MULTILINE)
        assert found, self.printed

        return found.group(1)

    def stop(self, how: signal.Signals = signal.SIGINT) -> str:
        """Stop it as Ctrl-C does; give the rest of what it prints."""
        self.process.send_signal(how)

        return self.process.communicate(timeout=60)[0]


@contextmanager
def started(folder: Path, *arguments: str, simulator_port: int = 0) -> Iterator[Running]:
    """Run a copy of `demo_app.py`, which keeps its data beside itself, in *folder*."""
    folder.mkdir(exist_ok=True)
    shutil.copy(ROOT / "demo_app.py", folder)
    shutil.copytree(ROOT / "templates", folder / "templates", dirs_exist_ok=True)
    command = [sys.executable, "demo_app.py", *(arguments or ["--port", "0"])]

    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            command,
            cwd=folder,
            env=environment(SIMULATOR_PORT=simulator_port),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            # Who runs the tests in the background of a shell script is deaf to Ctrl-C, and so are
            # the programs that it starts.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  it sets a signal
        ) as process,
    ):
        assert process.stdout is not None
        printed = ""

        while "Ctrl-C" not in printed:
            line = process.stdout.readline()
            assert line, (folder / "log").read_text()
            printed += line

        try:
            yield Running(process, printed)
        finally:
            process.kill()
