"""The README's shop as its reader takes it further: four workers on an empty PostgreSQL."""

import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from sqlalchemy import create_engine, text

from spayon_flask.simulator import Simulator
from tests.databases import Databases
from tests.test_docs import DOCS, README, ROOT, blocks

pytestmark = pytest.mark.thorough

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


def begin(shop: str) -> str:
    """Order, and press "Pay"; return where the hosted page is."""
    checkout = requests.post(shop, timeout=60)
    answer = requests.post(checkout.url, timeout=60, allow_redirects=False)
    return answer.headers["Location"]


def triggers() -> list[tuple[str, str]]:
    """Return each command `trigger` of the docs, with the page that it stands on."""
    return [
        (page.name, command)
        for page in (DOCS / "testing.md", DOCS / "operating.md")
        for command in re.findall(
            r"^(?:\$ |- `)(flask .*?spayon trigger [^`\n]*)", page.read_text(), re.MULTILINE
        )
    ]


def test_four_workers_on_an_empty_postgresql_take_payments(
    shop: str, gateway: Simulator, database: str
) -> None:
    for _ in range(WORKERS):
        delivery = gateway.pay(begin(shop).rsplit("/", 1)[1])
        assert delivery is not None
        assert delivery.status_code == 200

    assert paid(database) == WORKERS


def test_trigger_works_as_the_docs_have_it(
    shop: str, database: str, environment: dict[str, str], tmp_path: Path
) -> None:
    assert {page for page, _ in triggers()} == {"testing.md", "operating.md"}

    for number, (_, command) in enumerate(triggers(), 1):
        begin(shop)
        # The shop of this test is at another port, and numbers its orders.
        assert "http://127.0.0.1:5000" in command
        written = command.replace("http://127.0.0.1:5000", shop).replace("A-17", str(number))
        result = subprocess.run(
            [sys.executable, "-m", *shlex.split(written)],
            cwd=tmp_path,
            env={**environment, "FLASK_APP": "shop"},
            capture_output=True,
            check=False,
            text=True,
            timeout=60,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        assert f"order {number}, " in result.stdout
        assert paid(database) == number


def paid(database: str) -> int:
    """Return how many orders are paid."""
    engine = create_engine(database)

    with engine.connect() as connection:
        query = text("SELECT count(*) FROM shop_order WHERE paid")
        found = connection.execute(query).scalar_one()

    engine.dispose()
    return int(found)
