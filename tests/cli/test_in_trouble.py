"""Every command, if the database is down, the tables are missing or the call makes no sense."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.shop import Shop

Make = Callable[..., Shop]

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
def lost_shop(request: pytest.FixtureRequest, own_shop: Make, tmp_path: Path) -> Shop:
    """A shop whose database is away."""
    url = f"sqlite:///{tmp_path}/nowhere/shop.db"

    if request.param == "a server that refuses":
        url = "postgresql+psycopg://postgres@127.0.0.1:9/postgres"

    return own_shop(url, fresh=False)


@pytest.fixture
def bare_shop(own_shop: Make, database_url: str) -> Shop:
    """A shop on each of the three engines, without tables."""
    return own_shop(database_url, fresh=False)


def failure(shop: Shop, arguments: list[str]) -> str:
    """Run a command that fails with 1, and return its only line."""
    result = shop.app.test_cli_runner().invoke(args=["spayon", *arguments])

    assert result.exit_code == 1
    (line,) = result.output.splitlines()
    return line


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_without_a_database_a_command_says_so_in_one_line_and_exits_with_1(
    lost_shop: Shop, arguments: list[str]
) -> None:
    says = "Error: the database does not answer (OperationalError)"
    assert failure(lost_shop, arguments).startswith(says)


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_without_tables_a_command_says_so_in_one_line_and_exits_with_1(
    bare_shop: Shop, arguments: list[str]
) -> None:
    says = "Error: the tables are missing: run `flask db upgrade`"
    assert failure(bare_shop, arguments).startswith(says)


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
