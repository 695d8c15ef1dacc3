"""Where lines break: never in an amount, and in a heading only between words."""

import pytest
from playwright.sync_api import Browser

from spayon_flask.domain.languages import NAMES
from tests.pages.browser import Visit
from tests.pages.shown import STATES

#: From 832 px on a page has two columns: the narrowest of each kind, and some in between.
WIDTHS = (320, 390, 640, 832, 1280)

#: One with cents, and the longest that there is.
PRICES = ("1234567.50 RUB", "99999999999999.9 AMD")

#: The amounts that span more than one line, and the words of headings and buttons that do, with
#: letters of the usual size and of twice the size.
BROKEN = """() => ['100%', '200%'].flatMap(size => {
    document.documentElement.style.fontSize = size;
    const tops = range => [...range.getClientRects()].map(box => Math.round(box.top));
    const lines = range => new Set(tops(range)).size;
    const amounts = '.spayon-price, .spayon-amount:not(.spayon-amount-later)';
    const broken = [];

    for (const part of document.querySelectorAll(amounts)) {
        const range = document.createRange();
        range.selectNodeContents(part);
        const card = part.closest('.spayon-card').getBoundingClientRect();
        if (lines(range) > 1 || range.getBoundingClientRect().right > card.right)
            broken.push([size, part.textContent]);
    }

    for (const part of document.querySelectorAll('h1, h2, .spayon-button, .spayon-details dt')) {
        const walker = document.createTreeWalker(part, NodeFilter.SHOW_TEXT);
        for (let text = walker.nextNode(); text; text = walker.nextNode())
            for (const word of text.data.matchAll(/\\S+/g)) {
                const range = document.createRange();
                range.setStart(text, word.index);
                range.setEnd(text, word.index + word[0].length);
                if (lines(range) > 1) broken.push([size, word[0]]);
            }
    }

    return broken;
})"""


@pytest.mark.parametrize("language", NAMES)
def test_no_amount_and_no_word_of_a_heading_spans_two_lines(visit: Visit, language: str) -> None:
    broken = []

    for page, state in STATES:
        for price in PRICES if page in {"checkout", "return"} else PRICES[1:]:
            visit.open(f"/pay/show/{page}/{state}?language={language}&price={price}")

            for width in WIDTHS:
                visit.page.set_viewport_size({"width": width, "height": 700})

                if found := visit.page.evaluate(BROKEN):
                    broken.append((page, state, price, width, found))

    assert broken == []


def test_a_detail_that_does_not_fit_beside_its_name_has_a_line_of_its_own(visit: Visit) -> None:
    page = visit.open("/pay/show/return/paid?language=hy&title=" + "Արծաթե կախազարդ " * 3)
    page.set_viewport_size({"width": 320, "height": 700})
    name = page.locator(".spayon-details dt").first.bounding_box()
    value = page.locator(".spayon-details dd").first.bounding_box()
    assert name is not None
    assert value is not None

    assert value["y"] >= name["y"] + name["height"]
    assert value["x"] == name["x"]


def test_the_spinner_is_seen_to_turn_where_the_browser_sets_the_colours(
    browser: Browser, home: str
) -> None:
    context = browser.new_context(forced_colors="active")
    page = context.new_page()
    page.goto(f"{home}/pay/show/return/pending")
    top, left = page.evaluate(
        "(style => [style.borderTopColor, style.borderLeftColor])"
        "(getComputedStyle(document.querySelector('.spayon-spinner')))"
    )
    context.close()

    assert top != left
