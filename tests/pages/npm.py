"""Stylesheets of others, from the npm registry: kept between runs, skipped if there are none."""

import shutil
import subprocess
from pathlib import Path
from typing import Protocol

import pytest

#: Seconds for the registry; a machine without a network gives up sooner.
PATIENCE = 120


class Folders(Protocol):
    """Where something is kept from one run to the next, such as pytest's cache."""

    def mkdir(self, name: str) -> Path: ...


def installed(cache: Folders, *packages: str) -> Path:
    """Return the `node_modules` that hold *packages*, or skip the test with a plain reason."""
    npm = shutil.which("npm")

    if npm is None:
        pytest.skip("npm is missing on this machine")

    folder = cache.mkdir("npm-" + "-".join(packages).replace("/", "-").replace("@", "-"))
    modules = folder / "node_modules"

    if not (folder / "complete").exists():
        quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=0"]
        command = [npm, "install", "--prefix", str(folder), *quiet, *packages]
        failed: str | None = None

        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=PATIENCE, check=False
            )
            failed = done.stderr[-300:] if done.returncode else None

        except subprocess.TimeoutExpired:
            failed = "no answer in time"

        if failed is not None:
            pytest.skip(f"the npm registry gives no {', '.join(packages)}: {failed}")

        (folder / "complete").touch()

    return modules
