"""Databases of a run of the tests: the next run removes those of a run that was killed."""

import os
import subprocess
import sys
from pathlib import Path

from tests.databases import Databases, abandoned


def test_only_the_databases_of_a_run_that_ended_on_this_machine_are_removed(tmp_path: Path) -> None:
    running = Databases(tmp_path, "spayon_test")._name

    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()

    left = running.replace(f"_{os.getpid()}_", f"_{ended.pid}_")
    names = [running, left, "spayon_test_00000000_1_1", "shop"]

    assert abandoned(names) == [left]
