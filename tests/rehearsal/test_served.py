"""A rehearsal beside a shop that runs under gunicorn, while real payers pay there."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from spayon_flask.cli.rehearse import gateway as gateways
from spayon_flask.simulator import Simulator
from tests.neighbours.served import db
from tests.rehearsal.conftest import Person
from tests.rehearsal.served import create_app
from tests.shop import CONFIG


ROOT = Path(__file__).parents[2]


@pytest.fixture
def gateway() -> Iterator[Simulator]:
    """A simulator whose clock runs as the wall's does."""
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def shop_url(gateway: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of the shop under gunicorn: two workers, and tables in a file of SQLite."""
    # It listens before gunicorn is there, so that nobody has to wait for anything.
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    port = listener.getsockname()[1]
    settings = {
        **{name: str(value) for name, value in CONFIG.items() if name.startswith("SPAYON_")},
        "SPAYON_API_URL": gateway.url,
        "SPAYON_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "SQLALCHEMY_DATABASE_URI": f"sqlite:///{tmp_path / 'shop.db'}?timeout=20",
        "SECRET_KEY": "test",
    }

    for name, value in settings.items():
        monkeypatch.setenv(f"FLASK_{name}", value)

    monkeypatch.setenv("SHOP_INSTANCE", str(tmp_path))
    app = create_app()

    with app.app_context():
        db.create_all()
        db.engine.dispose()

    with listener:
        command = [sys.executable, "-m", "gunicorn", "--bind", f"fd://{listener.fileno()}"]
        command += ["--workers", "2", "--threads", "4", "--log-level", "warning"]
        command += ["--no-control-socket", "tests.rehearsal.served:create_app()"]
        server = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ}, pass_fds=[listener.fileno()]
        )

    yield f"http://127.0.0.1:{port}"
    server.terminate()
    server.wait(20)


def test_real_callbacks_are_recorded_as_ever(
    gateway: Simulator, shop_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateways, "PAUSE", 0.02)
    over = threading.Event()
    answers: list[int | None] = []
    failures: list[str] = []

    def sell() -> None:
        while not over.is_set() or len(answers) < 10:
            page = requests.post(
                f"{shop_url}/pay/checkout/R{len(answers)}",
                data={"email": "ani@example.com", "full_name": "Ani"},
                timeout=30,
                allow_redirects=False,
            )

            if page.status_code != 303:
                failures.append(page.text)
                return

            session_id = page.headers["Location"].rsplit("/", 1)[1]
            delivery = gateway.pay(session_id)
            answers.append(delivery.status_code if delivery else None)

    person = Person()

    def echo(text: Any = "", *_: Any, **__: Any) -> None:
        lines = [line.strip() for line in str(text).splitlines() if line.strip()]

        if len(lines) == 2 and lines[1].startswith(gateway.url):
            person.do(lines[0], lines[1])

    monkeypatch.setattr("click.echo", echo)
    monkeypatch.setattr("click.prompt", lambda *_, **__: "")
    selling = threading.Thread(target=sell)
    selling.start()

    try:
        # The command is another process than the two that receive.
        app = create_app()
        arguments = ["spayon", "rehearse", "--yes", "--pay"]
        result = app.test_cli_runner().invoke(args=arguments, catch_exceptions=False)

    finally:
        over.set()
        selling.join(60)

    assert failures == []
    assert result.exit_code == 0
    assert len(person.asked) == 4
    assert len(answers) >= 10
    assert {*answers} == {200}

    with sqlite3.connect(tmp_path / "shop.db") as connection:
        (parcels,) = connection.execute("SELECT count(*) FROM parcel").fetchone()
        (payments,) = connection.execute("SELECT count(*) FROM spayon_payment").fetchone()
        (callbacks,) = connection.execute("SELECT count(*) FROM spayon_callback").fetchone()
        strange = connection.execute(
            "SELECT count(*) FROM spayon_payment WHERE order_id NOT LIKE 'R%'"
        ).fetchone()

    assert parcels == payments == callbacks == len(answers)
    assert strange == (0,)

    with app.app_context():
        db.engine.dispose()
