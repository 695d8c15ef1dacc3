"""The desk in a real browser: by keyboard alone, without JavaScript, narrow and wide."""

import csv
import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # no types
from playwright.sync_api import Browser, Page

from spayon_flask.domain.languages import Language
from tests.kept import dispose
from tests.pages.browser import Visit, served
from tests.shop import Shop
from tests.staff.shown import fill_shown_shop, open_shown_shop

PATHS = [
    *("", "/list", "/list?q=A-10", "/list?q=nothing", "/reviews", "/unknown", "/unknown/64"),
    *("/export", "/export?from=2026-11-01&to=2026-12-31", "/1", "/62", "/64", "/999"),
    *("/62/decide?decision=accept", "/62/decide?decision=refuse", "/1/refund"),
]

WIDTHS = (390, 1280)

OUTSIDE = """() => [...document.querySelectorAll('body, body *:not(svg *)')]
    .filter(part => !part.closest('.spayon-scroll, .spayon-skip, .spayon-hidden')
        && (part.getBoundingClientRect().right > innerWidth || part.scrollWidth > innerWidth))
    .map(part => [part.tagName, part.className, part.getBoundingClientRect().right])"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of a shop with payments; each test has a copy."""
    path = tmp_path_factory.mktemp("shown") / "shop.db"
    fill_shown_shop(f"sqlite:///{path}")
    return path


@pytest.fixture
def shop(filled: Path, tmp_path: Path) -> Iterator[Shop]:
    """A shop with payments, and its desk."""
    copy = shutil.copy(filled, tmp_path / "shop.db")
    shop = open_shown_shop(f"sqlite:///{copy}")
    yield shop
    dispose(shop)


@contextmanager
def opened(
    browser: Browser, shop: Shop, language: str, *, scheme: str = "light", **options: Any
) -> Iterator[Visit]:
    """Open the desk in *language*."""
    with served(shop.app) as url:
        context = browser.new_context(
            locale=language,
            color_scheme="dark" if scheme == "dark" else "light",
            reduced_motion="reduce",
            **options,
        )
        yield Visit(context.new_page(), f"{url}/staff/payments")
        context.close()


@pytest.mark.parametrize(("language", "scheme"), [("en", "light"), ("ru", "dark"), ("hy", "light")])
def test_axe_finds_nothing_and_nothing_needs_sideways_scrolling(
    browser: Browser, shop: Shop, language: str, scheme: str
) -> None:
    found: dict[tuple[str, int], Any] = {}
    # Each width is asked about in one scheme: axe takes most of the time of this test.
    asked = {"light": 390, "dark": 1280}[scheme]

    with opened(browser, shop, language, scheme=scheme) as visit:
        for path in PATHS:
            visit.open(path)

            for details in visit.page.locator("details").all()[:2]:
                details.evaluate("part => part.open = true")

            for width in WIDTHS:
                visit.page.set_viewport_size({"width": width, "height": 800})
                broken = [*axe_finds(visit.page)] if width == asked else []
                broken += visit.page.evaluate(OUTSIDE)

                if broken:
                    found[path, width] = broken

            complaints = [each for each in visit.complaints if "404" not in each]
            assert complaints == []

    assert found == {}


def axe_finds(page: Page) -> Iterator[Any]:
    """Yield what axe complains of."""
    for rule in Axe().run(page).response["violations"]:
        for node in rule["nodes"]:
            yield rule["id"], node["target"], node["failureSummary"]


def tab_to(page: Page, text: str) -> None:
    """Press Tab until something that is named *text* has the focus."""
    for _ in range(150):
        page.keyboard.press("Tab")
        # Without JavaScript of its own the page still answers to the browser's tools.
        focused = page.evaluate(
            "() => { const at = document.activeElement;"
            " return at.labels && at.labels.length ? at.labels[0].innerText : at.innerText; }"
        )

        if focused.strip() == text:
            return

    raise AssertionError(f"the keyboard never came to {text!r}")


def follow(page: Page) -> None:
    """Press Enter, and wait for the page that it leads to."""
    with page.expect_navigation():
        page.keyboard.press("Enter")


@pytest.mark.parametrize(
    ("language", "width"),
    [pytest.param("en", 390, marks=pytest.mark.always), ("ru", 390), ("hy", 1280)],
)
def test_by_keyboard_alone_a_payment_is_found_understood_refused_and_the_month_exported(
    browser: Browser, shop: Shop, language: str, width: int
) -> None:
    _ = Language(language).gettext

    with opened(
        browser, shop, language, java_script_enabled=False, viewport={"width": width, "height": 800}
    ) as visit:
        page = visit.open("")
        tab_to(page, _("Payments"))
        follow(page)
        tab_to(page, _("Order, payment session or reference, or a part of it"))
        page.keyboard.type("A-1061")
        follow(page)
        tab_to(page, f"{_('Order')} A-1061")
        follow(page)

        assert page.get_by_text(
            _(
                "Another amount was paid than was asked for. Agree with the buyer on the "
                "difference, or give the payment back in Spayon’s panel, then decide."
            )
        ).is_visible()
        tab_to(page, _("Refuse …"))
        follow(page)
        tab_to(page, _("Reason, kept with the payment and your name"))
        page.keyboard.type("given back, ticket 7")
        tab_to(page, _("Refuse the payment"))
        follow(page)
        page.get_by_role("status").wait_for()
        assert shop.payment("S1061").status == "failed"
        assert shop.payment("S1061").reviewed_because == "given back, ticket 7"

        tab_to(page, _("Export"))
        follow(page)
        words = Language(language)
        number = 46
        tab_to(
            page, words.ngettext("Save %(n)d payment as CSV", "Save %(n)d payments as CSV", number)
        )

        with page.expect_download() as download:
            page.keyboard.press("Enter")

        text = download.value.path().read_text("utf-8-sig")
        rows = list(csv.reader(io.StringIO(text), delimiter="," if language == "en" else ";"))
        assert len(rows) == 1 + number
        assert visit.complaints == []


def test_what_has_the_focus_is_seen_to_have_it(browser: Browser, shop: Shop) -> None:
    with opened(browser, shop, "en") as visit:
        page = visit.open("/list")

        for _ in range(16):
            page.keyboard.press("Tab")
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"


def test_on_a_telephone_the_first_payment_is_seen_without_scrolling(
    browser: Browser, shop: Shop
) -> None:
    # Of the three languages the one with the longest words.
    with opened(browser, shop, "hy", viewport={"width": 390, "height": 844}) as visit:
        box = visit.open("/list").locator(".spayon-item").first.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < 720
        # What is asked for is not hidden.
        assert visit.open("/list?status=paid").locator("#spayon-status").is_visible()
