"""The documentation: every Python block in it runs, and what it names is there.

The blocks of a page run in order and share their names. A page of docs/ begins with what the
quickstart has made: `app` with its context, `db`, `spayon` and `ShopOrder`.
"""

import ast
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from blinker import NamedSignal
from cryptography.fernet import Fernet
from flask import Flask

from spayon_flask import errors, signals
from tests.neighbours.shop import Gateway

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
QUICKSTART = DOCS / "quickstart.md"
README = ROOT / "README.md"
PAGES = [README, *sorted(DOCS.glob("*.md"))]

#: These hold whole programs, which begin with nothing.
WHOLE = (README, QUICKSTART)

#: This one begins with a shop that exists, and has a test of its own.
EXISTING = DOCS / "existing-shop.md"

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

    # The key of the recipe "Many vendors".
    monkeypatch.setenv("VENDORS_KEY", Fernet.generate_key().decode())

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


def run_recipe(title: str, namespace: dict[str, Any]) -> None:
    """Run the block of a recipe, after what the recipes before it have imported."""
    section = (DOCS / "recipes.md").read_text().partition(f"## {title}\n")[2]
    exec("from flask import abort, redirect, url_for", namespace)
    exec("from spayon_flask import GatewayError, Order, OrderNotPayableError, Spayon", namespace)
    exec(section.partition("```python\n")[2].partition("```")[0], namespace)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page not in (*WHOLE, EXISTING)], ids=lambda page: page.name
)
def test_the_python_blocks_of_a_page_run(page: Path, quickstart: dict[str, Any]) -> None:
    run(page, quickstart)


def test_the_vendors_of_the_recipe_have_secrets_that_no_row_shows(
    quickstart: dict[str, Any],
) -> None:
    run_recipe("Many vendors", quickstart)
    db, fernet, vendor = (quickstart[name] for name in ("db", "fernet", "Vendor"))
    db.create_all()
    hidden = {name: fernet.encrypt(b"s3cret") for name in ("client_secret", "callback_secret")}
    db.session.add(vendor(name="ani", client_id="id", **hidden))
    db.session.commit()

    row = db.session.execute(db.text("SELECT * FROM vendor")).one()

    assert "s3cret" not in str(tuple(row))
    assert quickstart["credentials_of"]("ani").client_secret == "s3cret"


def test_nobody_pays_one_vendor_of_the_recipe_for_the_goods_of_another(
    quickstart: dict[str, Any],
) -> None:
    run_recipe("Many vendors", quickstart)
    db, load = quickstart["db"], quickstart["load_vendors_order"]
    db.create_all()
    db.session.add(quickstart["VendorOrder"](code="k3y", vendor="ani", title="Tea", total=1000))
    db.session.commit()

    assert load("k3y", "ani").product_name == "Tea"
    assert load("k3y", "aram") is None


def test_a_booking_of_the_recipe_is_paid_when_both_parts_are(
    quickstart: dict[str, Any], gateway: Gateway
) -> None:
    run_recipe("A deposit and the rest", quickstart)
    db, booking = quickstart["db"], quickstart["ShopOrder"](id=7, title="Tour", total=1000)
    db.create_all()
    parts = quickstart["split"](booking, 300)
    # The quickstart's own handler marks the orders 1 and 2, as the parts are numbered.
    other = quickstart["ShopOrder"](id=2, title="Tea", total=1000)
    db.session.add_all([booking, other, *parts])
    db.session.commit()
    client = quickstart["app"].test_client()
    paid = []

    for part in parts:
        gateway.pay(gateway.session_at(client.post(f"/pay/checkout/{part.code}")).id)
        db.session.expire_all()
        paid.append((part.price, part.paid, booking.paid))

    assert paid == [(300, True, False), (700, True, True)]


@pytest.mark.parametrize(("total", "paid"), [(0, True), (1000, False)])
def test_an_order_of_the_recipe_that_costs_nothing_is_given_out_at_once(
    quickstart: dict[str, Any], total: int, paid: bool
) -> None:
    run_recipe("An order that costs nothing", quickstart)
    db, order = quickstart["db"], quickstart["ShopOrder"](code="free-7Qz", title="Tea", total=total)
    db.session.add(order)
    db.session.commit()

    answer = quickstart["app"].test_client().post("/orders/free-7Qz/place")

    db.session.expire_all()
    assert (answer.location, order.paid) == ("/" if paid else "/pay/checkout/free-7Qz", paid)


def test_an_order_of_the_recipe_that_was_paid_in_cash_cannot_be_paid_again(
    quickstart: dict[str, Any],
) -> None:
    run_recipe("An order that is paid in cash, or cancelled", quickstart)
    db = quickstart["db"]
    db.session.add(quickstart["ShopOrder"](code="cash-7Qz", title="Tea", total=1000, paid=True))
    db.session.commit()

    page = quickstart["app"].test_client().get("/pay/checkout/cash-7Qz").text

    assert "This order was paid at the counter." in page
    assert "Continue to payment" not in page


def test_a_front_end_of_the_recipe_begins_a_payment_and_is_told_its_state(
    quickstart: dict[str, Any], gateway: Gateway
) -> None:
    run_recipe("A shop with a JSON API", quickstart)
    db = quickstart["db"]
    db.session.add(quickstart["ShopOrder"](code="json-7Qz", title="Tea", total=1000))
    db.session.commit()
    client = quickstart["app"].test_client()
    told = [client.get("/api/orders/json-7Qz/payment").json["status"]]

    begun = client.post("/api/orders/json-7Qz/payment")
    told.append(client.get("/api/orders/json-7Qz/payment").json["status"])
    gateway.pay(begun.json["session_url"].rsplit("/", 1)[1])
    told.append(client.get("/api/orders/json-7Qz/payment").json["status"])
    again = client.post("/api/orders/json-7Qz/payment")

    assert told == ["none", "pending", "paid"]
    assert (again.status_code, again.json) == (409, {"status": "paid"})
    assert client.post("/api/orders/nobody/payment").status_code == 404


@pytest.mark.parametrize("page", WHOLE, ids=lambda page: page.name)
def test_the_shop_of_the_page_takes_a_payment(page: Path, gateway: Gateway) -> None:
    namespace: dict[str, Any] = {"__name__": "shop"}
    run(page, namespace)
    app: Flask = namespace["create_app"]()
    create_tables(app)
    gateway.shop = app
    client = app.test_client()
    # Where "Back to the shop" leads.
    home = client.get("/").text
    bought = client.post("/") if page == README else None
    link = re.findall(r'"(/pay/checkout/[^"]+)"', home) if bought is None else [bought.location]

    gateway.pay(gateway.session_at(client.post(link[0])).id)

    with app.app_context():
        assert namespace["db"].session.get(namespace["ShopOrder"], 1).paid is True
        namespace["db"].engine.dispose()


def test_no_block_of_python_goes_by_another_name() -> None:
    # Those of testing.md are files of a shop, which tests/test_testing.py puts together and runs.
    names = re.compile(r"^ *```(py|python3|pycon|\{code-block\} *python)$", re.MULTILINE)
    others = {page.name for page in PAGES if names.search(page.read_text())}

    assert others <= {"testing.md"}


def test_the_quickstart_s_shop_is_under_forty_five_lines() -> None:
    code = "".join(code for _, code in blocks(QUICKSTART))

    assert len([line for line in code.splitlines() if line.strip()]) < 45


def test_every_command_that_is_printed_has_the_options_that_it_is_given(
    quickstart: dict[str, Any],
) -> None:
    text = "".join(page.read_text() for page in PAGES)
    printed = re.findall(
        r"(?:^\$ |`)flask (?:--app \w+ )?(spayon [a-z][^`\n]+)", text, re.MULTILINE
    )
    runner = quickstart["app"].test_cli_runner()
    # click reads the whole line before it helps.
    told = {line: runner.invoke(args=[*shlex.split(line), "--help"]) for line in printed}

    assert len(told) > 20
    assert [line for line, result in told.items() if result.exit_code] == []


def test_the_settings_are_read_as_the_page_exports_them(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (DOCS / "settings.md").read_text()
    for line in re.findall(r"^\$ export (.*)$", page, re.MULTILINE):
        name, _, value = shlex.split(line)[0].partition("=")
        monkeypatch.setenv(name, value)

    namespace: dict[str, Any] = {"__name__": "shop"}
    run(QUICKSTART, namespace)

    with namespace["create_app"]().app_context():
        settings = namespace["spayon"].settings
        assert settings.callback_secrets == ("new-secret", "old-secret")
        assert settings.timeout == (3.05, 10)
        assert settings.available_payment_methods == ("visamaster", "mir")


def test_the_settings_page_lists_every_setting() -> None:
    source = (ROOT / "spayon_flask" / "settings.py").read_text()
    read = set(re.findall(r'(?:read|own)\.\w+\(\s*"([A-Z_]+)"', source))
    page = (DOCS / "settings.md").read_text()

    assert set(re.findall(r"^\| `SPAYON_([A-Z_]+)`", page, re.MULTILINE)) == read


def test_the_errors_page_lists_every_error() -> None:
    tree = ast.parse(Path(errors.__file__).read_text())
    names = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    page = (DOCS / "troubleshooting.md").read_text().partition("```text")[2].partition("```")[0]

    assert set(re.findall(r"^[│├└─ ]*(\w+(?:Error|Review))\b", page, re.MULTILINE)) == names


def test_the_handlers_page_lists_every_signal() -> None:
    page = (DOCS / "handlers.md").read_text()
    table = "".join(line for line in page.splitlines(True) if line.startswith("| `"))
    names = {name for name, value in vars(signals).items() if isinstance(value, NamedSignal)}

    assert names <= set(re.findall(r"`(\w+)`", table))


@pytest.mark.thorough
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    command += ["-d", str(tmp_path / "doctrees"), str(DOCS), str(tmp_path / "html")]

    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert found.returncode == 0, found.stderr
    assert (tmp_path / "html" / "index.html").is_file()
