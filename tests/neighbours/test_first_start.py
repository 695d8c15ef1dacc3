"""The README's shop as its reader takes it further: four workers on an empty PostgreSQL."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from sqlalchemy import create_engine
from sqlalchemy import text

from spayon_flask.simulator import Simulator
from tests.databases import Databases
from tests.test_docs import README
from tests.test_docs import ROOT
from tests.test_docs import blocks


WORKERS = 4


@pytest.fixture
def database(tmp_path: Path, worker_id: str) -> Iterator[str]:
    """The URL of an empty PostgreSQL."""
    made = Databases(tmp_path, f"spayon_first_start_{worker_id}")
    yield made.url("postgresql")
    made.close()


@pytest.fixture
def gateway() -> Iterator[Simulator]:
    """A simulator that posts callbacks over HTTP."""
    with Simulator(time_scale=0) as running:
        yield running


@pytest.fixture
def environment(database: str, gateway: Simulator, tmp_path: Path) -> dict[str, str]:
    """What the README has exported, with a database of another kind; `shop.py` is in its place."""
    program = next(code for _, code in blocks(README) if "def create_app" in code)
    (tmp_path / "shop.py").write_text(program)
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "FLASK_SPAYON_API_URL": gateway.url,
        "FLASK_SPAYON_CLIENT_ID": gateway.client_id,
        "FLASK_SPAYON_CLIENT_SECRET": gateway.client_secret,
        "FLASK_SPAYON_CALLBACK_SECRET": gateway.callback_secret,
        "FLASK_SQLALCHEMY_DATABASE_URI": database,
    }


@pytest.fixture
def shop(environment: dict[str, str], tmp_path: Path) -> Iterator[str]:
    """The URL of the shop under gunicorn, whose tables were made as the README says."""
    command = [sys.executable, "-m", "flask", "--app", "shop", "create-tables"]
    assert " ".join(["$", *command[2:]]) in README.read_text()
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, timeout=60)

    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "-w", str(WORKERS), "shop:create_app()"),
                *("--bind", f"fd://{listener.fileno()}", "--no-control-socket"),
            ],
            cwd=tmp_path,
            env=environment,
            pass_fds=[listener.fileno()],
        )
        port = listener.getsockname()[1]

    yield f"http://127.0.0.1:{port}"
    process.terminate()
    # gunicorn ends with 3 if a worker did not boot.
    assert process.wait(timeout=30) == 0


def test_four_workers_on_an_empty_postgresql_take_payments(
    shop: str, gateway: Simulator, database: str
) -> None:
    for _ in range(WORKERS):
        checkout = requests.post(shop, timeout=60)
        answer = requests.post(checkout.url, timeout=60, allow_redirects=False)
        delivery = gateway.pay(answer.headers["Location"].rsplit("/", 1)[1])
        assert delivery is not None
        assert delivery.status_code == 200

    engine = create_engine(database)

    with engine.connect() as connection:
        query = text("SELECT count(*) FROM shop_order WHERE paid")
        assert connection.execute(query).scalar() == WORKERS

    engine.dispose()
