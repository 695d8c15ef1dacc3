"""What the theming page promises: its blocks, its variables, its properties and its looks."""

import re
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # no types
from flask import Flask, template_rendered
from playwright.sync_api import Browser

import spayon_flask
from tests.pages.browser import Visit, served
from tests.pages.shown import STATES, make_app, shown_by
from tests.shop import Shop

DOCS = Path(__file__).parents[2] / "docs"
PACKAGE = Path(spayon_flask.__file__).parent
LOOKS = ("apricot", "ink", "night")
PAGES = ("base", "checkout", "return", "cancel", "error")

#: Pages and states that show every part there is.
TELLING = [
    *(("checkout", "wrong"), ("checkout", "paid"), ("return", "slow"), ("return", "failed")),
    *(("cancel", "payable"), ("error", "unknown_order")),
]
BASE = """{% extends "spayon/default/base.html" %}
{% block head %}
<link rel="stylesheet" href="{{ url_for('static', filename='shop.css') }}">
{% endblock %}"""


def documented(heading: str, column: str) -> list[str]:
    """List what the tables under *heading* of the theming page name in the given *column*."""
    text = (DOCS / "theming.md").read_text(encoding="utf-8")
    section = re.split(
        r"^#+ ", text.partition(f"# {heading}\n")[2], maxsplit=1, flags=re.MULTILINE
    )[0]
    tables = re.findall(r"^\| (\w+) \|.*\n\|---.*\n((?:\|.*\n)+)", section, flags=re.MULTILINE)
    rows = next((rows for name, rows in tables if name == column), "")

    first = re.findall(r"^\| (`[^|]+`) \|", rows, flags=re.MULTILINE)

    return [name for cell in first for name in re.findall(r"`([\w-]+)`", cell)]


BLOCKS = [(page, name) for page in PAGES for name in documented(f"{page}.html", "block")]


def themed(folder: Path, look: str) -> Flask:
    """Make a shop in *folder* with the stylesheet of *look*."""
    static = folder / "static"
    static.mkdir()
    (static / "shop.css").write_bytes((DOCS / "themes" / f"{look}.css").read_bytes())

    return make_app(folder, base=BASE)


def receipt(folder: Path) -> Flask:
    """Make a shop in *folder* with the templates of the fourth look."""
    static = folder / "static"
    static.mkdir()
    (static / "shop.css").write_bytes((DOCS / "themes/receipt/shop.css").read_bytes())
    copytree(DOCS / "themes/receipt/spayon", folder / "templates/spayon")

    return make_app(folder)


@pytest.fixture
def contexts(shop: Shop) -> Iterator[dict[str, dict[str, Any]]]:
    """Collect what the views of the real blueprint hand to each template."""
    seen: dict[str, dict[str, Any]] = {}

    def note(_app: Flask, template: Any, context: dict[str, Any], **_: Any) -> None:
        seen[template.name.removeprefix("spayon/")] = context

    shop.add_order()
    shop.add_payment("S1", order_id="B1")
    client = shop.app.test_client()

    with template_rendered.connected_to(note, shop.app):
        client.get("/pay/checkout/A1")
        client.get("/pay/return?session_id=S1")
        client.get("/pay/cancel/reference-of-S1-B1")
        client.get("/pay/checkout/nothing")
        yield seen


@pytest.mark.parametrize(("page", "block"), BLOCKS)
def test_a_documented_block_can_be_replaced(tmp_path: Path, page: str, block: str) -> None:
    source = (
        f'{{% extends "spayon/default/{page}.html" %}}{{% block {block} %}}mine{{% endblock %}}'
    )
    show = shown_by(make_app(tmp_path, **{page: source}))
    states = [place for place in STATES if page in {"base", place[0]}]

    # The pages fill these three, so theirs wins over that of the base.
    if page == "base" and block in {"title", "scripts", "content"}:
        states = [("base", "alone")]

    assert any("mine" in show(*place) for place in states)


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_a_template_is_documented(page: str) -> None:
    source = (PACKAGE / f"templates/spayon/default/{page}.html").read_text(encoding="utf-8")
    blocks = re.findall(r"{% block (\w+)", source)
    inherited = {"title", "content", "scripts"} if page != "base" else set()

    assert set(blocks) - inherited == set(documented(f"{page}.html", "block"))


@pytest.mark.parametrize("page", PAGES[1:])
def test_every_documented_variable_is_handed_to_the_template(
    contexts: dict[str, dict[str, Any]], page: str
) -> None:
    promised = documented("Every template", "variable") + documented(f"{page}.html", "variable")

    assert [name for name in promised if name not in contexts[f"{page}.html"]] == []


def test_every_macro_of_the_parts_is_documented_and_can_be_replaced(tmp_path: Path) -> None:
    source = (PACKAGE / "templates/spayon/default/parts.html").read_text(encoding="utf-8")
    passed_on = (PACKAGE / "templates/spayon/parts.html").read_text(encoding="utf-8")
    macros = re.findall(r"{% macro (\w+)", source)

    assert macros == re.findall(r"{% set (\w+) = default\.\1 -?%}", passed_on)
    assert macros == documented("parts.html", "macro")

    own = passed_on.replace(
        "{% set lock = default.lock -%}", "{% macro lock() %}mine{% endmacro %}"
    )
    show = shown_by(make_app(tmp_path, parts=own))
    assert "mineContinue to payment" in show("checkout", "payable")


def test_every_id_and_class_that_the_script_needs_is_documented() -> None:
    script = (PACKAGE / "static/return.js").read_text(encoding="utf-8")
    section = (DOCS / "theming.md").read_text(encoding="utf-8").partition("### return.html")[2]
    section = section.partition("\n### ")[0]
    used = set(re.findall(r"spayon-[\w-]+", script)) | {
        f"data-{name}" for name in re.findall(r"\.dataset\.(\w+)", script)
    }

    assert {name for name in used if name not in section} == set()


def test_every_property_of_the_stylesheet_is_documented() -> None:
    css = (PACKAGE / "static/spayon.css").read_text(encoding="utf-8")

    assert set(re.findall(r"^ *(--spayon-[\w-]+):", css, flags=re.MULTILINE)) == set(
        documented("A look of your own, in a few lines", "property")
    )


@pytest.mark.parametrize("look", LOOKS)
def test_a_look_sets_properties_of_the_root_and_nothing_else(look: str) -> None:
    css = re.sub(r"/\*.*?\*/", "", (DOCS / f"themes/{look}.css").read_text(encoding="utf-8"))
    rule = re.fullmatch(r"\s*:root {([^{}]*)}\s*", css)
    assert rule is not None

    names = {line.partition(":")[0].strip() for line in rule[1].split(";") if line.strip()}
    known = documented("A look of your own, in a few lines", "property")
    assert names <= {"color-scheme", *known}


def test_the_stylesheet_leaves_the_elements_of_the_shop_alone() -> None:
    css = (PACKAGE / "static/spayon.css").read_text(encoding="utf-8")
    css = re.sub(r"/\*.*?\*/|@[^{;]*(?={)", "", css, flags=re.DOTALL)
    selectors = [part.strip() for rule in re.findall(r"([^{}]+){", css) for part in rule.split(",")]

    assert [
        selector
        for selector in selectors
        if selector and not selector.startswith((".spayon-", ":root", "to"))
    ] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("look", [*LOOKS, "receipt"])
def test_a_look_can_be_read_by_everybody(
    browser: Browser, tmp_path: Path, look: str, scheme: str
) -> None:
    app = receipt(tmp_path) if look == "receipt" else themed(tmp_path, look)
    context = browser.new_context(color_scheme="dark" if scheme == "dark" else "light")
    found = []

    with served(app) as url:
        visit = Visit(context.new_page(), url)

        for page, state in TELLING:
            visit.open(f"/pay/show/{page}/{state}")
            found += [
                (page, state, rule["id"], [node["target"] for node in rule["nodes"]])
                for rule in Axe().run(visit.page).response["violations"]
            ]

    context.close()
    assert found == []


@pytest.mark.parametrize("state", ["pending", "paid", "failed", "expired", "review"])
def test_the_receipt_keeps_what_the_script_needs(tmp_path: Path, state: str) -> None:
    html = shown_by(receipt(tmp_path))("return", state)

    assert f'id="spayon-status" data-state="{state}"' in html
    assert 'id="spayon-announcement"' in html


@pytest.mark.parametrize("prefix", [None, "/pay", "/a/b"])
def test_the_stylesheet_is_found_wherever_the_pages_are_mounted(
    shop: Shop, tmp_path: Path, prefix: str | None
) -> None:
    (tmp_path / "static").mkdir()
    app = Flask("shop", root_path=str(tmp_path))
    app.config.update(shop.app.config)
    shop.db.init_app(app)
    shop.spayon.init_app(app)
    app.register_blueprint(shop.spayon.blueprint, url_prefix=prefix)
    shop.spayon.order_loader(lambda _order_id: None)
    html = app.test_client().get(f"{prefix or ''}/checkout/nothing").text
    link = re.search(r'rel="stylesheet" href="([^"]+)"', html)
    assert link is not None

    with app.test_client().get(link[1]) as answer:
        assert answer.mimetype == "text/css"
