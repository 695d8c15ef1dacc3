"""What is dear in a run of the tests, counted for each folder: `.ci/run` holds it to a budget.

Counted are Flask apps that are built, servers that listen, processes that are started, pages that a
browser opens, and tests that really sleep (how often one of them looks whether something has come
depends on the machine). Seconds are only printed, for the same reason. What each process of a run
makes for itself (kept shops, the kept simulator) is counted apart. Each run prints its counts.
"""

import os
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from socketserver import BaseServer
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Page

WHAT = ("apps", "servers", "processes", "pages", "sleeps")

#: What belongs to no folder.
APART = "the run"

#: At most so many of each in a folder, of all tests together: as a whole run had, and a quarter.
#: A fixture of a module may be made in several processes.
BUDGET: dict[str, tuple[int, ...]] = {
    "cli": (200, 110, 60, 0, 30),
    "crashes": (40, 30, 40, 0, 20),
    "demo": (110, 20, 30, 100, 20),
    "migrations": (40, 0, 0, 0, 10),
    "neighbours": (230, 90, 60, 5, 40),
    "outages": (140, 20, 0, 0, 90),
    "packaging": (20, 20, 30, 0, 20),
    "pages": (410, 260, 20, 1080, 20),
    "promises": (440, 110, 20, 5, 20),
    "rehearsal": (380, 1360, 20, 0, 20),
    "simulator": (720, 860, 30, 110, 20),
    "staff": (100, 30, 20, 140, 20),
    "top": (440, 150, 30, 5, 20),
    "typing": (0, 0, 20, 0, 10),
}

#: Where each of them begins.
_PLACES = {
    "apps": (Flask, "__init__"),
    "servers": (BaseServer, "serve_forever"),
    "processes": (subprocess.Popen, "__init__"),
    "pages": (Page, "goto"),
    "sleeps": (time, "sleep"),
}


#: Whose the counts are: the folder of the test that is running.
_folder = [APART]


@contextmanager
def apart() -> Iterator[None]:
    """Count what is made inside the block for no folder."""
    _folder.append(APART)

    try:
        yield

    finally:
        _folder.pop()


def folder_of(nodeid: str) -> str:
    """Return the folder of a test below `tests/`; those beside this file are "top"."""
    parts = nodeid.partition("::")[0].split("/")[1:-1]
    return parts[0] if parts else "top"


class Counting:
    """A plugin of pytest: every process counts, and the first one adds up and prints."""

    def __init__(self) -> None:
        self.total: Counter[str] = Counter()
        self.seconds: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._has_slept = False

        for what, (place, name) in _PLACES.items():
            setattr(place, name, self._counted(what, getattr(place, name)))

    def _counted(self, what: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def call(*arguments: Any, **options: Any) -> Any:
            if what != "sleeps" or not self._has_slept:
                self._counts[f"{_folder[-1]}|{what}"] += 1

            self._has_slept |= what == "sleeps"
            return function(*arguments, **options)

        return call

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Note whose the counts are."""
        _folder[0] = folder_of(nodeid)
        self._has_slept = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add the seconds of a test to those of its folder."""
        folder = folder_of(report.nodeid)
        self.seconds[folder] += report.duration  # type: ignore[assignment]  # seconds are no int
        self.total[f"{folder}|tests"] += report.when == "call"

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Hand over what this process has counted, or fail if all of it is too much."""
        output = getattr(session.config, "workeroutput", None)

        if output is not None:
            output["counts"] = dict(self._counts)
            return

        self.total.update(self._counts)

        if self.excesses() and os.environ.get("SPAYON_TESTS_MUST_RUN"):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Add what a process of pytest-xdist has counted."""
        self.total.update(getattr(node, "workeroutput", {}).get("counts", {}))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print a line for each folder."""
        columns = ("tests", *WHAT, "seconds")
        line = terminalreporter.line
        terminalreporter.section("what it took")
        line(f"{'':14}" + "".join(f"{name:>11}" for name in columns))

        for folder in sorted({each.split("|")[0] for each in self.total}):
            numbers = [*(self.total[f"{folder}|{name}"] for name in columns[:-1])]
            numbers.append(round(self.seconds[folder]))
            line(f"{folder:14}" + "".join(f"{number:>11}" for number in numbers))

        for excess in self.excesses():
            line(f"over budget: {excess}")

    def excesses(self) -> list[str]:
        """Return in words what is over budget."""
        return [
            f"{folder}: {self.total[f'{folder}|{what}']} {what} of {most}"
            for folder, budget in BUDGET.items()
            for what, most in zip(WHAT, budget, strict=True)
            if self.total[f"{folder}|{what}"] > most
        ]
