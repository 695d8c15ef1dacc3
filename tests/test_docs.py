"""The documentation: every Python block in it runs, and what it names is there.

The blocks of a page run in order and share their names. A page of docs/ begins with what the
quickstart has made: `app` with its context, `db`, `spayon` and `ShopOrder`.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from blinker import NamedSignal
from flask import Flask

from spayon_flask import errors
from spayon_flask import signals
from tests.neighbours.shop import Gateway


ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
QUICKSTART = DOCS / "quickstart.md"
README = ROOT / "README.md"
PAGES = [README, *sorted(DOCS.glob("*.md"))]

#: These hold whole programs, which begin with nothing.
WHOLE = (README, QUICKSTART)

_BLOCK = re.compile(r"^( *)```python\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[tuple[int, str]]:
    """Return the Python blocks of a page, each with the number of its first line."""
    text = page.read_text()
    return [(text.count("\n", 0, found.start()) + 2, found[2]) for found in _BLOCK.finditer(text)]


def create_tables(app: Flask) -> None:
    """Do as the page says before the shop is started."""
    result = app.test_cli_runner().invoke(args=["create-tables"])
    assert result.exit_code == 0, result.output


def run(page: Path, namespace: dict[str, Any]) -> None:
    """Run the blocks of *page*, so that an error names the page and the line."""
    for line, code in blocks(page):
        exec(compile("\n" * (line - 1) + code, str(page), "exec"), namespace)


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Gateway]:
    """A simulator that the environment points to, and an empty folder to work in."""
    monkeypatch.chdir(tmp_path)

    with Gateway() as running:
        for key, value in {
            "API_URL": running.url,
            "CLIENT_ID": running.client_id,
            "CLIENT_SECRET": running.client_secret,
            "CALLBACK_SECRET": running.callback_secret,
        }.items():
            monkeypatch.setenv(f"FLASK_SPAYON_{key}", value)

        yield running


@pytest.fixture
def quickstart(gateway: Gateway) -> Iterator[dict[str, Any]]:
    """The names that a page begins with."""
    namespace: dict[str, Any] = {"__name__": "shop", "queue": []}
    run(QUICKSTART, namespace)
    app = namespace["app"] = namespace["create_app"]()
    db = namespace["db"]
    create_tables(app)
    gateway.shop = app

    with app.app_context():
        yield namespace
        db.session.remove()
        db.engine.dispose()


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page not in WHOLE], ids=lambda page: page.name
)
def test_the_python_blocks_of_a_page_run(page: Path, quickstart: dict[str, Any]) -> None:
    run(page, quickstart)


@pytest.mark.parametrize("page", WHOLE, ids=lambda page: page.name)
def test_the_shop_of_the_page_takes_a_payment(page: Path, gateway: Gateway) -> None:
    namespace: dict[str, Any] = {"__name__": "shop"}
    run(page, namespace)
    app: Flask = namespace["create_app"]()
    create_tables(app)
    gateway.shop = app
    client = app.test_client()
    order_id = "1"

    if page == README:
        order_id = client.post("/").headers["Location"].rsplit("/", 1)[1]

    # Where "Back to the shop" leads.
    assert client.get("/").status_code == 200

    gateway.pay(gateway.session_at(client.post(f"/pay/checkout/{order_id}")).id)

    with app.app_context():
        assert namespace["db"].session.get(namespace["ShopOrder"], int(order_id)).paid is True
        namespace["db"].engine.dispose()


def test_no_block_of_python_goes_by_another_name() -> None:
    # Those of testing.md are files of a shop, which tests/test_testing.py puts together and runs.
    names = re.compile(r"^ *```(py|python3|pycon|\{code-block\} *python)$", re.MULTILINE)
    others = {page.name for page in PAGES if names.search(page.read_text())}

    assert others <= {"testing.md"}


def test_the_quickstart_s_shop_is_under_forty_lines() -> None:
    code = "".join(code for _, code in blocks(QUICKSTART))

    assert len([line for line in code.splitlines() if line.strip()]) < 40


def test_every_command_that_is_named_is_there(quickstart: dict[str, Any]) -> None:
    names = set()

    for page in PAGES:
        names |= set(re.findall(r"flask(?: --app \w+)? spayon\s+([a-z]+)", page.read_text()))

    group = quickstart["app"].cli.commands["spayon"]
    assert names <= set(group.list_commands(click.Context(group)))


def test_the_settings_page_lists_every_setting() -> None:
    source = (ROOT / "spayon_flask" / "settings.py").read_text()
    read = set(re.findall(r'read\.\w+\(\s*"([A-Z_]+)"', source)) - {"error"}
    page = (DOCS / "settings.md").read_text()

    assert set(re.findall(r"^\| `SPAYON_([A-Z_]+)`", page, re.MULTILINE)) == read


def test_the_errors_page_lists_every_error() -> None:
    tree = ast.parse(Path(errors.__file__).read_text())
    names = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    page = (DOCS / "errors.md").read_text().partition("```text")[2].partition("```")[0]

    assert set(re.findall(r"^[│├└─ ]*(\w+(?:Error|Review))\b", page, re.MULTILINE)) == names


def test_the_handlers_page_lists_every_signal() -> None:
    page = (DOCS / "handlers.md").read_text()
    table = "".join(line for line in page.splitlines(True) if line.startswith("| `"))
    names = {name for name, value in vars(signals).items() if isinstance(value, NamedSignal)}

    assert names <= set(re.findall(r"`(\w+)`", table))


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    command += ["-d", str(tmp_path / "doctrees"), str(DOCS), str(tmp_path / "html")]

    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert found.returncode == 0, found.stderr
    assert (tmp_path / "html" / "index.html").is_file()
