"""The simulator's hosted page, which stands between two of ours: room, amounts and colours."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
from playwright.sync_api import Browser, Page

from spayon_flask.domain.languages import NAMES
from spayon_flask.simulator import Simulator
from spayon_flask.simulator.creation import Creation

#: What reaches past the right edge, and the amounts that span two lines, with the text so large.
WRONG = """size => {
    document.documentElement.style.fontSize = size;
    const wrong = [...document.querySelectorAll('body *')]
        .filter(part => part.getBoundingClientRect().right > innerWidth + 1)
        .map(part => part.outerHTML.slice(0, 80));

    for (const part of document.querySelectorAll('.bill-total dd')) {
        const range = document.createRange();
        range.selectNodeContents(part);
        const tops = new Set([...range.getClientRects()].map(box => Math.round(box.top)));
        if (tops.size > 1) wrong.push(part.textContent);
    }

    return wrong;
}"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def begin(sim: Simulator, language: str, price: str = "24900") -> str:
    """Return the address of a hosted page in *language*."""
    creation = Creation(
        "Արծաթե նուռ" if language == "hy" else "Silver pomegranate",
        *(Decimal(price), "AMD"),
        order_id="A-1042",
        return_url="http://shop.test/pay/return",
        cancel_url="http://shop.test/pay/cancel/x",
        language=language,
    )
    return f"{sim.url}/pay/{sim.create(creation).id}"


@pytest.mark.parametrize("language", NAMES)
def test_nothing_sticks_out_and_no_amount_breaks(sim: Simulator, page: Page, language: str) -> None:
    wrong = []

    for price in ("24900", "99999999999999.9"):
        page.goto(begin(sim, language, price))

        for width in (320, 390, 640, 1280):
            page.set_viewport_size({"width": width, "height": 700})
            wrong += [
                (price, width, size, found)
                for size in ("100%", "200%")
                if (found := page.evaluate(WRONG, size))
            ]

    assert wrong == []


def test_the_dram_is_written_as_on_our_pages(sim: Simulator, page: Page) -> None:
    page.goto(begin(sim, "hy"))

    assert page.locator(".bill-total dd").inner_text() == "24\u00a0900\u00a0AMD"
    assert "֏" not in page.content()


@pytest.mark.parametrize(
    ("path", "current"),
    [("/_simulator/", "nav [aria-current]"), ("pay", ".test-cards [aria-current]")],
)
def test_what_is_chosen_is_seen_where_the_browser_sets_the_colours(
    browser: Browser, sim: Simulator, path: str, current: str
) -> None:
    context = browser.new_context(forced_colors="active")
    page = context.new_page()
    page.goto(begin(sim, "en") if path == "pay" else sim.url + path)
    outline = "part => getComputedStyle(part).outlineStyle"
    seen = page.locator(current).first.evaluate(outline)
    context.close()

    assert seen == "solid"
