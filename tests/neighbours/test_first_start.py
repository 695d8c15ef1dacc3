"""The README's shop as its reader takes it further: four workers on an empty PostgreSQL."""

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from spayon_flask.simulator import Simulator
from tests.crashes.server import Server
from tests.databases import Databases
from tests.neighbours.processes import Processes
from tests.test_docs import DOCS, README, ROOT, blocks

pytestmark = pytest.mark.thorough

WORKERS = 4

PAID = "SELECT id FROM shop_order WHERE paid"


@pytest.fixture
def gateway() -> Iterator[Simulator]:
    """A simulator that posts callbacks over HTTP."""
    with Simulator(time_scale=0) as running:
        yield running


@pytest.fixture
def processes(gateway: Simulator, tmp_path: Path, worker_id: str) -> Iterator[Processes]:
    """`shop.py` in its place, what the README has exported, and an empty PostgreSQL."""
    program = next(code for _, code in blocks(README) if "def create_app" in code)
    (tmp_path / "shop.py").write_text(program)
    databases = Databases(tmp_path, f"spayon_first_start_{worker_id}")
    environment = {
        "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}",
        "FLASK_SPAYON_API_URL": gateway.url,
        "FLASK_SPAYON_CLIENT_ID": gateway.client_id,
        "FLASK_SPAYON_CLIENT_SECRET": gateway.client_secret,
        "FLASK_SPAYON_CALLBACK_SECRET": gateway.callback_secret,
    }
    processes = Processes(tmp_path, databases.url("postgresql"), environment)
    yield processes
    processes.close()
    databases.close()


@pytest.fixture
def shop(processes: Processes) -> Iterator[str]:
    """The URL of the shop under gunicorn, whose tables were made as the README says."""
    command = "flask --app shop create-tables"
    assert f"$ {command}" in README.read_text()
    processes.run("-m", *command.split())
    server = Server("shop:create_app()", WORKERS, preload=False)
    server.environment |= processes.environment

    with server:
        yield f"http://127.0.0.1:{server.port}"


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
    shop: str, gateway: Simulator, processes: Processes
) -> None:
    for _ in range(WORKERS):
        delivery = gateway.pay(begin(shop).rsplit("/", 1)[1])
        assert delivery is not None
        assert delivery.status_code == 200

    assert len(processes.rows(PAID)) == WORKERS


def test_trigger_works_as_the_docs_have_it(shop: str, processes: Processes) -> None:
    assert {page for page, _ in triggers()} == {"testing.md", "operating.md"}

    for number, (_, command) in enumerate(triggers(), 1):
        begin(shop)
        # The shop of this test is at another port, and numbers its orders.
        assert "http://127.0.0.1:5000" in command
        written = command.replace("http://127.0.0.1:5000", shop).replace("A-17", str(number))
        said = processes.run("-m", *shlex.split(written), FLASK_APP="shop")
        assert f"order {number}, " in said
        assert len(processes.rows(PAID)) == number
