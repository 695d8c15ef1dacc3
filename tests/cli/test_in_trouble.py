"""Every command, if the database is down, the tables are missing or the call makes no sense."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from spayon_flask import signals
from spayon_flask.domain.signing import DOCTOR_HEADER
from spayon_flask.simulator import Simulator
from tests.cli.conftest import Run
from tests.databases import SERVERS
from tests.kept import dispose
from tests.live import shop_at
from tests.needs import missing
from tests.shop import Shop, make_shop

COMMANDS = [
    ["payments"],
    ["show", "S1"],
    ["review"],
    ["review", "S1", "--accept", "--because", "seen"],
    ["reconcile"],
    ["prune", "--older-than", "400d"],
    ["trigger", "paid"],
]


@pytest.fixture(params=["a file that cannot be", "a server that refuses"])
def lost_shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    """A shop whose database is away."""
    url = f"sqlite:///{tmp_path}/nowhere/shop.db"

    if request.param == "a server that refuses":
        url = "postgresql+psycopg://postgres@127.0.0.1:9/postgres"

    shop = make_shop(url, fresh=False)
    yield shop
    dispose(shop)


@pytest.fixture
def bare_shop(database_url: str) -> Iterator[Shop]:
    """A shop on each of the three engines, without tables."""
    shop = make_shop(database_url, fresh=False)
    yield shop
    dispose(shop)


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_without_a_database_a_command_says_so_in_one_line_and_exits_with_1(
    lost_shop: Shop, arguments: list[str]
) -> None:
    result = lost_shop.app.test_cli_runner().invoke(args=["spayon", *arguments])

    assert result.exit_code == 1
    (line,) = result.output.splitlines()
    assert line.startswith("Error: the database does not answer (OperationalError)")


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_without_tables_a_command_says_so_in_one_line_and_exits_with_1(
    bare_shop: Shop, arguments: list[str]
) -> None:
    result = bare_shop.app.test_cli_runner().invoke(args=["spayon", *arguments])

    assert result.exit_code == 1
    (line,) = result.output.splitlines()
    assert line.startswith("Error: the tables are missing: run `flask db upgrade`")


def test_an_error_that_is_not_the_databases_keeps_its_traceback(
    shop: Shop, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(shop.spayon, "_clock", fail)
    state = shop.app.extensions["spayon"]["spayon"]
    object.__setattr__(state, "clock", fail)

    assert isinstance(run("reconcile").exception, ZeroDivisionError)


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing"],
        ["--nothing"],
        ["payments", "--nothing"],
        ["reconcile", "--jobs", "many"],
        ["review", "S1"],
        ["prune"],
        ["templates", "copy", "nothing"],
    ],
    ids=" ".join,
)
def test_a_command_that_is_called_wrongly_exits_with_64(run: Run, arguments: list[str]) -> None:
    result = run(*arguments)

    assert result.exit_code == 64
    assert "Usage:" in result.output


class TestDoctor:
    """The cause is named once."""

    def test_without_a_database_the_cause_is_named_once(self, lost_shop: Shop) -> None:
        result = lost_shop.app.test_cli_runner().invoke(args=["spayon", "doctor", "--offline"])

        assert result.exit_code == 1
        assert result.output.count("WRONG") == 1
        assert "WRONG  database: the database does not answer" in result.output

    def test_without_tables_the_tables_are_what_is_wrong(self, bare_shop: Shop) -> None:
        states = _diagnose(bare_shop)

        assert (states["database"], states["tables"]) == ("ok", "wrong")
        assert "reviews" not in states

    def test_its_own_callbacks_are_neither_logged_nor_told(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        told: list[object] = []
        database_url = f"sqlite:///{tmp_path / 'live.db'}"

        def hear(_: str, **given: object) -> None:
            told.append(given)

        with (
            Simulator() as simulator,
            shop_at(simulator, database_url) as shop,
            signals.callback_refused.connected_to(hear),
            caplog.at_level(logging.INFO, "spayon_flask"),
        ):
            result = shop.app.test_cli_runner().invoke(args=["spayon", "doctor", "--json"])
            dispose(shop)

        assert "has the same callback secret" in result.output
        assert told == []
        assert "callback refused" not in caplog.text

    def test_nobody_else_can_knock_in_silence(
        self, shop: Shop, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.WARNING, "spayon_flask"):
            answer = shop.app.test_client().post("/pay/callback", headers={DOCTOR_HEADER: "00"})

        assert answer.status_code == 401
        assert "callback refused" in caplog.text

    def test_a_database_that_cannot_write_every_letter_is_found(self) -> None:
        server = make_url(SERVERS["mariadb"])
        engine = create_engine(server)

        try:
            with engine.connect() as connection:
                connection.execute(text("DROP DATABASE IF EXISTS spayon_latin"))
                connection.execute(text("CREATE DATABASE spayon_latin CHARACTER SET latin1"))

        except OperationalError:
            missing("a mariadb server")

        shop = make_shop(server.set(database="spayon_latin").render_as_string(hide_password=False))

        try:
            states = _diagnose(shop)

        finally:
            dispose(shop)

            with engine.connect() as connection:
                connection.execute(text("DROP DATABASE spayon_latin"))

            engine.dispose()

        assert (states["tables"], states["encoding"]) == ("ok", "wrong")

    def test_a_database_that_writes_every_letter_is_right(self, any_shop: Shop) -> None:
        assert _diagnose(any_shop)["encoding"] == "ok"


def _diagnose(shop: Shop) -> dict[str, str]:
    """Return what the doctor found: the state of each check."""
    result = shop.app.test_cli_runner().invoke(args=["spayon", "doctor", "--offline", "--json"])
    return {each["check"]: each["state"] for each in json.loads(result.output)["findings"]}
