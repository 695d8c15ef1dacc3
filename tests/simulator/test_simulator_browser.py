"""The hosted page and the inspector in a real Chromium, as people meet them."""

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # no types
from playwright.sync_api import Browser, Page, expect

from spayon_flask.simulator import PaymentSession, Simulator
from tests.simulator.bare import Bare
from tests.simulator.scene import Scene
from tests.simulator.shop import Shop

LONG = "Աննկարագրելիերկարանուն" * 8
PAGES = ["", "sessions/{}", "requests", "requests/2", "deliveries", "deliveries/1"]
PAGES += ["faults", "faults?kind=error", "setup", "?q=nothing", "sessions/unknown"]

OUTSIDE = """() => [...document.querySelectorAll('body *')]
    .filter(part => !part.closest('.scroll, .unseen, .skip'))
    .filter(part => part.getBoundingClientRect().right > innerWidth + 1)
    .map(part => part.outerHTML.slice(0, 80))"""


SMALL = """() => [...document.querySelectorAll('a, button, input, select, textarea, summary')]
    .filter(part => part.checkVisibility() && part.type !== 'hidden')
    .filter(part => !part.closest('.skip, .unseen'))
    .filter(part => part.getBoundingClientRect().height < 24)
    .map(part => part.outerHTML.slice(0, 120))"""


class Looking:
    """A page, and what the browser has complained about."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))


@pytest.fixture(params=["light", "dark"])
def looking(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Looking]:
    """Return a page of a phone's width, light and dark."""
    context = browser.new_context(
        color_scheme=request.param, viewport={"width": 390, "height": 800}
    )
    yield Looking(context.new_page())
    context.close()


@pytest.fixture
def busy(sim: Simulator, shop: Shop, api: Bare, session: PaymentSession) -> PaymentSession:
    """Return a session to which all kinds of things have happened."""
    shop.code = 500
    sim.attempt(session.id, sim.card("05"))
    sim.pay(session.id)
    sim.deliver(session.id, damaged=True)
    sim.fault("error", on="status", chance=0.5, times=None, skip=1)
    api.status(session.id)
    api.create(product_name=LONG, order_id=LONG)
    sim.hold_callbacks()
    return session


def violations(page: Page) -> list[Any]:
    """Return what axe finds wrong with the page."""
    found = Axe().run(page).response["violations"]
    return [(rule["id"], node["target"]) for rule in found for node in rule["nodes"]]


def test_the_inspector_is_sound(sim: Simulator, busy: PaymentSession, looking: Looking) -> None:
    """On a phone: nothing sticks out or is too small for a finger, and axe is content."""
    unsound = {}
    for path in PAGES:
        looking.page.goto(f"{sim.url}/_simulator/{path.format(busy.id)}")
        unsound[path] = [
            *looking.page.evaluate(OUTSIDE),
            *looking.page.evaluate(SMALL),
            *violations(looking.page),
        ]

    assert not any(unsound.values()), unsound
    assert [text for text in looking.complaints if "404" not in text] == []


@pytest.mark.parametrize("language", ["en", "ru", "hy"])
def test_the_hosted_page_is_sound(
    sim: Simulator, api: Bare, looking: Looking, language: str
) -> None:
    """In each language, before and after a declined card and when all is over."""
    created = api.create(
        language=language,
        product_name=LONG,
        order_id=LONG,
        cancel_url="https://shop.example/cancel",
        availablePaymentMethods=["visamaster", "mir"],
    ).json
    page = looking.page
    for happening in (
        lambda: None,
        lambda: sim.attempt(created["session_id"], sim.card("51")),
        lambda: sim.decline(created["session_id"]),
    ):
        happening()
        page.goto(created["session_url"])

        assert page.evaluate(OUTSIDE) == []
        # What axe looks at is the same in all of them, and it takes its time.
        assert language != "en" or violations(page) == []
        assert page.locator("html").get_attribute("lang") == language

    assert looking.complaints == []


def test_a_payer_tries_a_card_and_then_another(scene: Scene, page: Page) -> None:
    """And is back at the shop after the second."""
    page.goto(f"{scene.sim.url}/pay/{scene.session.id}")
    page.get_by_role("link", name="Declined by the bank").click()
    page.get_by_role("button", name="Pay 1,000").click()
    expect(page.get_by_role("alert")).to_contain_text("gave no reason")

    page.get_by_role("link", name="Approved").first.click()
    with page.expect_request(lambda request: request.url.startswith(scene.shop.url)) as back:
        page.get_by_role("button", name="Pay 1,000").click()

    assert back.value.url == f"{scene.shop.url}/pay/return?lang=hy&session_id={scene.session.id}"
    assert scene.session.status == "paid"


def test_the_inspector_shows_by_itself_what_happens(scene: Scene, page: Page) -> None:
    """Without being reloaded by hand."""
    page.goto(f"{scene.sim.url}/_simulator/")
    page.evaluate("window.sameDocument = true")
    scene.pay()
    page.locator(".badge.paid").wait_for()

    assert page.evaluate("window.sameDocument")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_every_button_works(scene: Scene, browser: Browser, *, scripts: bool) -> None:
    """With JavaScript and without it."""
    context = browser.new_context(java_script_enabled=scripts)
    page = context.new_page()
    page.goto(f"{scene.sim.url}/_simulator/sessions/{scene.session.id}")
    page.get_by_role("button", name="Pay", exact=True).click()
    page.get_by_text("The session is paid. Callback: 200.").wait_for()

    for button, words in {
        "Deliver again": "Callback: 200.",
        "Ten at once": "Callbacks: 200 × 10.",
        "And then an older": "Callbacks: 200 × 2.",
        "Sign with the old secret": "Callback: 200.",
        "Change one byte": "Callback: 200.",
        "Without a signature": "Callback: 200.",
        "Change the price": "Callback: 200.",
        "Hold back": "Callbacks are held",
        "Release": "No callback was made.",
        "+5 min": "The clock shows",
    }.items():
        page.get_by_role("button", name=button).click()
        expect(page.get_by_role("status")).to_contain_text(words)

    page.goto(f"{scene.sim.url}/_simulator/deliveries")
    page.get_by_label("Answer", exact=True).select_option("good")
    page.get_by_role("button", name="Filter").click()
    page.get_by_role("link", name="#1", exact=True).click()
    page.get_by_label("Signature").select_option("none")
    page.get_by_role("button", name="Send as edited").click()
    expect(page.get_by_role("status")).to_contain_text("Callback: 200.")
    page.get_by_role("button", name="Send again").click()
    expect(page.get_by_role("status")).to_contain_text("Callback: 200.")

    assert len(scene.shop.received) == 1 + 1 + 10 + 2 + 4 + 2
    context.close()


def test_a_fault_is_armed_from_the_page(sim: Simulator, page: Page) -> None:
    """And disarmed again."""
    page.goto(f"{sim.url}/_simulator/faults")
    page.get_by_role("link", name="an HTML page").click()
    expect(page.get_by_label("Seconds")).to_have_count(0)
    page.get_by_label("How often").select_option("always")
    page.get_by_role("button", name="Arm").click()
    page.get_by_role("cell", name="0 of ∞").wait_for()
    assert [(fault.kind, fault.times) for fault in sim.faults] == [("html", None)]

    page.get_by_role("button", name="Disarm", exact=True).click()
    page.get_by_text("Disarmed.").wait_for()
    assert list(sim.faults) == []


def test_a_form_that_makes_no_sense_keeps_what_was_typed(sim: Simulator, page: Page) -> None:
    """And says what is wrong with it."""
    page.goto(f"{sim.url}/_simulator/faults?kind=error")
    page.get_by_label("Code").select_option("429")
    page.get_by_label("Retry-After").select_option("date")
    page.get_by_label("How often").select_option("3")
    order = page.locator("#order")
    order.fill("A-1")
    page.get_by_label("Chance").fill("2")
    page.get_by_role("button", name="Arm").click()

    expect(page.get_by_role("status")).to_contain_text("Not armed: chance must be above 0")
    assert list(sim.faults) == []
    assert page.get_by_label("Code").input_value() == "429"
    assert page.get_by_label("Retry-After").input_value() == "date"
    assert page.get_by_label("How often").input_value() == "3"
    assert order.input_value() == "A-1"

    page.get_by_label("Chance").fill("1")
    page.get_by_role("button", name="Arm").click()
    page.get_by_text("Armed: error.").wait_for()
    assert [(fault.code, fault.order) for fault in sim.faults] == [(429, "A-1")]


def test_what_is_half_filled_in_stays_while_the_page_goes_on(scene: Scene, page: Page) -> None:
    """Whatever the form: the page shows what is new, and what was typed."""
    scene.pay()
    for path, field, value in (
        ("faults?kind=error", "order", "A-9"),
        ("faults?kind=error", "times", "10"),
        ("setup", "spacing", "7"),
        ("setup", "price", "padded"),
        (f"sessions/{scene.session.id}", "to", "http://127.0.0.1:8000"),
        ("requests", "scale", "60"),
        ("?status=paid", "q", "tea"),
        ("deliveries/1", "signature", "old"),
        ("deliveries/1", "body", "{}"),
    ):
        page.goto(f"{scene.sim.url}/_simulator/{path}")
        typed = page.locator(f"#{field}")
        if typed.evaluate("field => field.tagName") == "SELECT":
            typed.select_option(value)
        else:
            typed.fill(value)

        page.locator("h1").click()
        shown = page.locator("#live").get_attribute("data-version")
        scene.sim.deliver(scene.session.id)
        expect(page.locator("#live")).not_to_have_attribute("data-version", str(shown))
        assert typed.input_value() == value, path


def test_a_tab_in_the_background_counts_what_is_new(scene: Scene, page: Page) -> None:
    """In its title, until somebody looks."""
    page.add_init_script(
        "Object.defineProperty(document, 'hidden', {get: () => window.away === true})"
    )
    with page.expect_response("**/_simulator/version"):
        page.goto(f"{scene.sim.url}/_simulator/")

    page.evaluate("window.away = true")
    scene.api.status(scene.session.id)
    scene.pay()
    expect(page).to_have_title("(2) Sessions · Spayon simulator")
    page.evaluate("window.away = false")
    expect(page).to_have_title("Sessions · Spayon simulator")


def test_the_time_to_pay_counts_down(sim: Simulator, session: PaymentSession, page: Page) -> None:
    """By the simulator's clock; once it is over, the page says so."""
    page.goto(f"{sim.url}/pay/{session.id}")
    left = page.locator(".bill-time time")
    assert left.inner_text() == "15:00"

    sim.clock.scale = 60
    page.reload()
    page.get_by_role("heading", name="The time to pay has run out").wait_for()


def test_times_are_shown_in_the_zone_of_the_viewer(scene: Scene, browser: Browser) -> None:
    """If asked to, and from then on."""
    context = browser.new_context(timezone_id="Asia/Yerevan")
    page = context.new_page()
    page.goto(f"{scene.sim.url}/_simulator/sessions/{scene.session.id}")
    utc = page.locator(".timeline .hour").first.inner_text()
    page.get_by_role("button", name="Show Asia/Yerevan").click()
    local = page.locator(".timeline .hour").first.inner_text()
    page.goto(f"{scene.sim.url}/_simulator/requests")

    assert (int(local[:2]) - int(utc[:2])) % 24 == 4
    assert page.locator(".clock .zone").inner_text() == "Asia/Yerevan"
    context.close()


def test_the_current_tab_is_seen_in_forced_colours(sim: Simulator, browser: Browser) -> None:
    """Where the system's own colours take the place of ours."""
    context = browser.new_context(forced_colors="active")
    page = context.new_page()
    page.goto(f"{sim.url}/_simulator/faults")
    style = "part => getComputedStyle(part).outlineStyle + getComputedStyle(part).outlineWidth"
    current = page.get_by_role("link", name="Faults", exact=True)
    other = page.get_by_role("link", name="Setup", exact=True)

    assert current.evaluate(style) == "solid2px"
    assert other.evaluate(style) != "solid2px"
    context.close()
