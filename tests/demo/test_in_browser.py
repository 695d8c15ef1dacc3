"""The whole purchase in Chromium, in the store that `python demo_app.py` opens."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # no types
from playwright.sync_api import Browser, Locator, Page, expect

from demo_app import TEXTS
from spayon_flask.domain.languages import DEFAULT, NAMES, Language
from tests.demo.served import Running, started
from tests.pages.browser import WEIGHT

#: How often a payer without scripts presses "Check again".
CHECKS = 100

DECLINED = "bank"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with started(tmp_path_factory.mktemp("demo")) as demo:
        yield demo


class Payer:
    """A person with a browser of their own, who reads *language*."""

    def __init__(
        self, browser: Browser, demo: Running, language: str = "en", javascript: bool = True
    ) -> None:
        self.context = browser.new_context(
            base_url=demo.store,
            locale=language,
            reduced_motion="reduce",
            java_script_enabled=javascript,
        )
        self.javascript = javascript
        self.demo = demo
        self.texts = TEXTS[language]
        self.say = Language(language).gettext
        self.page: Page = self.context.new_page()
        self.strangers: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.note(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def note(self, url: str) -> None:
        if not url.startswith((self.demo.store, self.demo.simulator)):
            self.strangers.append(url)

    def open(self, path: str) -> None:
        self.page.goto(path)

    def follow(self, target: Locator) -> None:
        """Click on *target*, and wait for the whole page that it leads to."""
        with self.page.expect_navigation():
            target.click()

    def order(self, *slugs: str) -> None:
        """Put products into the basket and order them."""
        for slug in slugs:
            self.open("/")
            self.follow(self.page.locator(f"button[value={slug}]"))

        self.follow(self.page.get_by_role("button", name=self.texts["place"]))

    def go_to_pay(self) -> None:
        """Go from the order's page through the checkout page to the hosted one."""
        self.follow(self.page.locator(".panel .button"))
        self.follow(self.page.get_by_role("button", name=self.say("Continue to payment")))
        expect(self.page.locator("#number")).to_be_visible()

    def pay(self, card: str = "approved") -> None:
        """Try *card* on the hosted page."""
        self.follow(self.page.locator(f'a[href="?card={card}"]'))
        self.follow(self.page.locator("button[name=pay]"))

    def give_up(self) -> None:
        """End without paying."""
        self.follow(self.page.locator("button[name=give_up]"))

    def heading(self, message: str) -> None:
        """See the heading of one of the package's pages, however long the result takes."""
        again = self.page.get_by_role("link", name=self.say("Check again"))

        # The callback may be on its way yet, and nothing but a script asks by itself.
        for _ in range(0 if self.javascript else CHECKS):
            if not again.is_visible():
                break

            self.follow(again)

        expect(self.page.get_by_role("heading", level=1)).to_have_text(self.say(message))

    def state(self, state: str) -> None:
        """See in the history how the latest order stands."""
        self.open("/orders")
        expect(self.page.locator(".badge").first).to_have_text(self.texts[f"state_{state}"])
        self.follow(self.page.locator(".what a").first)
        expect(self.page.locator(".state")).to_contain_text(self.texts[f"note_{state}"])


@pytest.mark.parametrize("language", NAMES)
@pytest.mark.parametrize("javascript", [True, False])
def test_from_the_catalogue_to_a_paid_order(
    browser: Browser, demo: Running, language: str, javascript: bool
) -> None:
    payer = Payer(browser, demo, language, javascript)
    payer.order("thyme", "gata")
    payer.go_to_pay()
    payer.pay()
    payer.heading("Payment received")
    payer.state("paid")
    payer.open("/behind-the-scenes")

    expect(payer.page.locator(".report")).to_contain_text("applied")
    expect(payer.page.locator(".report pre")).to_contain_text('"status":"paid"')
    assert payer.strangers == []
    assert payer.complaints == []


def store_pages(payer: Payer) -> Iterator[str]:
    """Bring the store and the payment pages into every state, one after the other."""
    for path in ("/", "/goods/rug", "/basket", "/orders", "/behind-the-scenes", "/no-such-page"):
        payer.open(path)
        yield path

    payer.open("/")
    payer.follow(payer.page.locator("button[value=pomegranate]"))
    yield "a basket"
    payer.follow(payer.page.locator(".panel .button"))
    yield "an order"
    order = payer.page.url
    payer.follow(payer.page.locator(".panel .button"))
    yield "checkout"
    payer.follow(payer.page.locator(".spayon-button-primary"))
    payer.follow(payer.page.locator(".bill-back a"))
    yield "cancel"
    payer.follow(payer.page.locator(".spayon-button-primary"))
    payer.pay(DECLINED)
    payer.give_up()
    payer.heading("The payment did not go through")
    yield "a failed payment"
    payer.open(order)
    yield "a failed order"
    payer.go_to_pay()
    payer.pay()
    payer.heading("Payment received")
    yield "a paid payment"
    payer.open(order)
    yield "a paid order"
    payer.open("/orders")
    yield "a history"
    payer.open("/behind-the-scenes")
    yield "payments"


#: What is cut off on the right, for somebody who cannot scroll sideways.
CUT = (
    "() => [...document.querySelectorAll('body *')]"
    ".filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML)"
)

#: Width in CSS pixels and size of the text: a small phone, and text twice as large.
SPACES = [(320, "100%"), (390, "200%"), (640, "200%"), (1280, "200%")]


@dataclass
class Looks:
    """What was found wrong with each page, by how it was looked at."""

    axe: dict[tuple[str, str], list[Any]] = field(default_factory=dict)
    cut: dict[tuple[str, int], list[str]] = field(default_factory=dict)
    weight: dict[str, int] = field(default_factory=dict)
    strangers: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@pytest.fixture(scope="module", params=[DEFAULT, "hy"])
def looks(request: pytest.FixtureRequest, browser: Browser, demo: Running) -> Looks:
    """Walk through the store once in each language, and look at every page in every way."""
    payer = Payer(browser, demo, request.param)
    found = Looks(strangers=payer.strangers, complaints=payer.complaints)
    page = payer.page

    for name in store_pages(payer):
        found.weight[name] = page.evaluate(WEIGHT)

        page.emulate_media(color_scheme="light")
        looks = {"light": Axe().run(page)}

        # A dark page differs in its colours, which are the same in every language.
        if request.param == DEFAULT:
            page.emulate_media(color_scheme="dark")
            looks["dark"] = Axe().run(page, options={"runOnly": ["color-contrast"]})

        for scheme, results in looks.items():
            found.axe[name, scheme] = [
                (rule["id"], node["target"], node["failureSummary"])
                for rule in results.response["violations"]
                for node in rule["nodes"]
            ]

        for width, text in SPACES:
            page.set_viewport_size({"width": width, "height": 700})
            page.evaluate("size => document.documentElement.style.fontSize = size", text)
            found.cut[name, width] = page.evaluate(CUT)

    payer.context.close()
    return found


def test_axe_finds_nothing_to_complain_about(looks: Looks) -> None:
    assert {place: broken for place, broken in looks.axe.items() if broken} == {}


def test_nothing_needs_sideways_scrolling(looks: Looks) -> None:
    assert {place: cut for place, cut in looks.cut.items() if cut} == {}


def test_a_page_is_light_pictures_and_all(looks: Looks) -> None:
    # The first page that is ever opened, in Armenian, has 31,001 bytes.
    assert {name: weight for name, weight in looks.weight.items() if weight > 32 * 1024} == {}


def test_the_policy_stops_nothing_that_a_page_needs(looks: Looks) -> None:
    not_found = [text for text in looks.complaints if "404 (NOT FOUND)" in text]

    # The one page that is not there is looked at on purpose.
    assert looks.complaints == not_found[:1]


def test_nothing_comes_from_elsewhere(looks: Looks) -> None:
    assert looks.strangers == []
