"""A base of the shop's own, with Bootstrap and with Tailwind, made from the docs alone."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # no types
from flask import Flask
from playwright.sync_api import Browser

from tests.pages.browser import Visit, served
from tests.pages.npm import Folders, installed
from tests.pages.shown import STATES, make_app, shown_by
from tests.pages.test_in_browser import OUTSIDE
from tests.pages.test_layout import BROKEN
from tests.pages.test_theming import DOCS, TELLING

BOOTSTRAP, TAILWIND = ("bootstrap@5.3.9",), ("tailwindcss@4.3.5", "@tailwindcss/cli@4.3.5")


def look(name: str, file: str) -> str:
    """Return a file of a look that the theming page shows."""
    return (DOCS / "themes" / name / file).read_text(encoding="utf-8")


def write(path: Path, text: str) -> None:
    """Write *text* to *path*, in folders that may be new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def with_own_base(folder: Path) -> Flask:
    """Make a shop in *folder* with the plain base of the docs."""
    return make_app(folder, base=look("plain", "base.html"))


def with_bootstrap(folder: Path, cache: Folders) -> Flask:
    """Make a shop in *folder* that uses Bootstrap as the docs say."""
    css = installed(cache, *BOOTSTRAP) / "bootstrap/dist/css/bootstrap.min.css"
    write(folder / "static/pay.css", look("bootstrap", "pay.css"))
    write(folder / "static/bootstrap.min.css", css.read_text(encoding="utf-8"))

    return make_app(folder, base=look("bootstrap", "base.html"))


def with_tailwind(folder: Path, cache: Folders) -> Flask:
    """Make a shop in *folder* that uses Tailwind as the docs say."""
    modules = installed(cache, *TAILWIND)
    app = make_app(folder, base=look("tailwind", "base.html"))
    write(folder / "shop.css", look("tailwind", "shop.css"))
    write(folder / "static/pay.css", look("tailwind", "pay.css"))
    (folder / "node_modules").symlink_to(modules)
    command = [str(modules / ".bin/tailwindcss"), "-i", "shop.css", "-o", "static/shop.css"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

    return app


@pytest.fixture(params=["bootstrap", "tailwind"])
def framed(request: pytest.FixtureRequest, tmp_path: Path) -> Flask:
    """A shop that uses one of the frameworks."""
    make = with_bootstrap if request.param == "bootstrap" else with_tailwind

    return make(tmp_path, request.config.cache)


@pytest.fixture
def visited(framed: Flask, browser: Browser) -> Iterator[Visit]:
    with served(framed) as url:
        context = browser.new_context()
        yield Visit(context.new_page(), url)
        context.close()


def test_the_base_in_the_docs_has_all_that_ours_has(tmp_path: Path) -> None:
    show = shown_by(with_own_base(tmp_path))

    for page, state in STATES:
        html = show(page, state)

        assert '<meta name="robots" content="noindex">' in html
        assert 'href="/pay/static/spayon/spayon.css"' in html
        assert "Payments by Spayon" in html
        assert re.search(r"<title>\w[^<]+ · Tsaghik Jewellery</title>", html)

    assert "Test mode" in show("checkout", "payable")
    assert "return.js" in show("return", "pending")


def test_axe_finds_nothing_under_a_framework(visited: Visit) -> None:
    found = []

    for page, state in TELLING:
        visited.open(f"/pay/show/{page}/{state}")
        found += [
            (page, state, rule["id"], [node["target"] for node in rule["nodes"]])
            for rule in Axe().run(visited.page).response["violations"]
        ]

    assert found == []
    assert visited.complaints == []


def test_nothing_breaks_or_sticks_out_under_a_framework(visited: Visit) -> None:
    bad = []

    for page, state in TELLING:
        visited.open(f"/pay/show/{page}/{state}?language=hy")

        for width in (320, 390, 1280):
            visited.page.set_viewport_size({"width": width, "height": 700})

            for size in ("100%", "200%"):
                bad += [
                    (page, state, width, size, found)
                    for check in (BROKEN, OUTSIDE)
                    if (found := visited.page.evaluate(check, size))
                ]

    assert bad == []


def test_a_framework_takes_nothing_from_our_look(visited: Visit) -> None:
    def style(selector: str, name: str) -> str:
        found = visited.page.evaluate(
            "([selector, name]) => getComputedStyle(document.querySelector(selector))[name]",
            [selector, name],
        )
        return str(found)

    visited.open("/pay/show/checkout/payable")
    assert style(".spayon-steps", "listStyleType") == "decimal"
    assert style(".spayon-details dt", "fontWeight") == "400"
    assert style(".spayon-field label", "fontWeight") == "550"
    assert style(".spayon-amount", "fontSize") == "40px"
    assert style(".spayon-button-primary", "textDecorationLine") == "none"
    assert float(style(".spayon-button-primary", "height").removesuffix("px")) >= 44

    # The shop's own font and accent, by the properties.
    assert style(".spayon-card", "fontFamily") == style("body", "fontFamily")
    assert style(".spayon-button-primary", "fontFamily") == style("body", "fontFamily")
    assert style(".spayon-button-primary", "backgroundColor") != "rgb(35, 72, 199)"
