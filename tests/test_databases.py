"""Databases of a run of the tests: none is left behind, however the run ended."""

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from tests.databases import SERVERS, Databases, abandoned

#: A run that makes a database, says which, and is killed.
KILLED = """
import os, pathlib, signal, sys
from tests.databases import Databases

print(Databases(pathlib.Path(), "spayon_killed").url(sys.argv[1]), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("engine", SERVERS)
def test_the_databases_of_a_run_that_was_killed_are_removed_by_the_next(
    engine: str, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", KILLED, engine]
    killed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    left = make_url(killed.stdout.strip()).database
    assert left is not None

    databases = Databases(tmp_path, "spayon_next")
    databases.url(engine)
    databases.close()

    assert left not in _names(engine)


def test_a_database_of_another_machine_or_of_a_run_that_goes_on_is_nobodys_to_remove(
    tmp_path: Path,
) -> None:
    running = Databases(tmp_path, "spayon_test")._name

    assert abandoned([running, "spayon_test_00000000_1_1", "shop"]) == []


def _names(engine: str) -> set[str]:
    server = create_engine(SERVERS[engine])
    show = {"postgresql": "SELECT datname FROM pg_database", "mariadb": "SHOW DATABASES"}[engine]

    with server.connect() as connection:
        names = {*connection.scalars(text(show))}

    server.dispose()
    return names
