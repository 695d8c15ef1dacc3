"""What a payer meets in a real browser: room, weight, policy, and help for those who need it."""

from urllib.parse import urlencode

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # no types
from playwright.sync_api import Browser, expect

from spayon_flask.domain.languages import DEFAULT, NAMES
from tests.pages.browser import Visit
from tests.pages.shown import STATES
from tests.pages.test_templates import HOSTILE

KILOBYTE = 1024
LONG = "Աննկարագրելիերկարանուն" * 8

#: Who has pressed "Continue to payment" waits for nothing else than that this page goes on.
EXPECTED = {("error", "still_creating"): ["meta-refresh"]}

#: Width in CSS pixels and size of the text: a small phone, 1280 pixels at 200 % zoom, large text.
SPACES = [(320, "100%"), (640, "100%"), (320, "200%"), (1280, "200%")]


#: What reaches past the right edge once the text has the size asked for.
OUTSIDE = """size => {
    document.documentElement.style.fontSize = size;
    return [...document.querySelectorAll('body, body *:not(svg *)')]
        .filter(part => part.getBoundingClientRect().right > innerWidth
            || part.scrollWidth > innerWidth)
        .map(part => [part.className, part.getBoundingClientRect().right, part.scrollWidth]);
}"""


@pytest.mark.parametrize("language", [pytest.param("en", marks=pytest.mark.always), "hy"])
def test_axe_finds_nothing_to_complain_about(browser: Browser, home: str, language: str) -> None:
    context = browser.new_context(reduced_motion="reduce")
    visit = Visit(context.new_page(), home)
    found: dict[tuple[str, str], list[object]] = {}

    for page, state in STATES:
        visit.page.emulate_media(color_scheme="light")
        visit.open(f"/pay/show/{page}/{state}?language={language}")
        looks = [Axe().run(visit.page)]

        # A dark page differs in its colours, which are the same in every language.
        if language == DEFAULT:
            visit.page.emulate_media(color_scheme="dark")
            looks.append(Axe().run(visit.page, options={"runOnly": ["color-contrast"]}))

        found[page, state] = [
            (rule["id"], node["target"], node["failureSummary"])
            for results in looks
            for rule in results.response["violations"]
            if rule["id"] not in EXPECTED.get((page, state), ())
            for node in rule["nodes"]
        ]

    context.close()
    assert {place: broken for place, broken in found.items() if broken} == {}


@pytest.mark.parametrize("language", NAMES)
def test_nothing_needs_sideways_scrolling(visit: Visit, language: str) -> None:
    too_wide = []

    for page, state in STATES:
        title = LONG if state == "paid" else ""
        visit.open(f"/pay/show/{page}/{state}?language={language}&title={title}")

        for width, text in SPACES:
            visit.page.set_viewport_size({"width": width, "height": 640})
            outside = visit.page.evaluate(OUTSIDE, text)

            if outside:
                too_wide.append((page, state, width, text, outside))

    assert too_wide == []


def test_a_page_is_light_stays_on_its_own_origin_and_does_not_move_while_it_loads(
    visit: Visit,
) -> None:
    visit.page.add_init_script(
        "window.shift = 0; new PerformanceObserver(list => { for (const entry of"
        " list.getEntries()) shift += entry.value })"
        ".observe({type: 'layout-shift', buffered: true})"
    )

    for page, state in STATES:
        visit.open(f"/pay/show/{page}/{state}?language=hy")

        assert visit.page.evaluate("window.shift") == 0
        assert visit.weight() < 30 * KILOBYTE
        assert all(url.startswith(visit.home) for url in visit.requests)
        assert sum(url.endswith(".css") for url in visit.requests) == 1
        assert sum(url.endswith(".js") for url in visit.requests) <= 1
        # Chromium fetches an icon when it likes: that of the page before may come with this page.
        assert sum(not url.endswith("/icon.svg") for url in visit.requests) <= 3


def test_a_strict_policy_has_nothing_to_refuse(visit: Visit) -> None:
    for page, state in STATES:
        visit.open(f"/pay/show/{page}/{state}?{urlencode({'title': HOSTILE})}")

        assert visit.complaints == []
        assert visit.page.locator("img, script:not([src])").count() == 0


#: What somebody reads out or writes down, if it takes more than one line.
BROKEN = """() => [...document.querySelectorAll('time, .spayon-support :is(a, span)')]
    .filter(part => part.offsetHeight > 1.7 * parseFloat(getComputedStyle(part).fontSize))
    .map(part => part.textContent)"""


def test_a_date_a_telephone_and_an_order_s_number_do_not_break_inside(visit: Visit) -> None:
    broken = []

    for width in (390, 1280):
        visit.page.set_viewport_size({"width": width, "height": 640})

        for page, state in (("return", "paid"), ("cancel", "payable"), ("return", "failed")):
            for language in NAMES:
                visit.open(f"/pay/show/{page}/{state}?language={language}")
                broken += [(width, language, text) for text in visit.page.evaluate(BROKEN)]

    assert broken == []


def test_forced_colours_keep_the_decline_box_and_tell_the_buttons_apart(
    browser: Browser, home: str
) -> None:
    context = browser.new_context(forced_colors="active")
    visit = Visit(context.new_page(), home)

    def edge(page: str, state: str, selector: str) -> str:
        part = visit.open(f"/pay/show/{page}/{state}").locator(selector).first
        return str(part.evaluate("it => getComputedStyle(it).borderTopStyle + it.clientTop"))

    assert edge("return", "failed", ".spayon-declines") == "solid1"
    assert edge("cancel", "payable-unsure", ".spayon-button-primary") == "solid3"
    assert edge("cancel", "payable-unsure", ".spayon-button-secondary") == "solid1"
    context.close()


def test_the_tab_key_walks_the_checkout_page_in_reading_order_and_is_seen_to(
    visit: Visit,
) -> None:
    page = visit.open("/pay/show/checkout/payable")
    walked = []

    for _ in range(5):
        page.keyboard.press("Tab")
        name = "(document.activeElement.name || document.activeElement.innerText).trim()"
        walked.append(page.evaluate(name))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"

    assert walked == [
        *("Tsaghik Jewellery", "email", "full_name"),
        *("Continue to payment", "Back to the shop"),
    ]


def test_what_is_wrong_has_the_focus_and_leads_to_the_field(visit: Visit) -> None:
    page = visit.open("/pay/show/checkout/wrong")
    expect(page.locator("#spayon-errors")).to_be_focused()

    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("[name=email]")).to_be_focused()
