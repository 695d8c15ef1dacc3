"""The whole purchase in a real browser: the real blueprint, the simulator, the strict policy."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask_wtf import CSRFProtect  # type: ignore[import-untyped]  # it has no types
from playwright.sync_api import Browser
from playwright.sync_api import Page
from playwright.sync_api import expect

from spayon_flask.simulator import Simulator
from tests.conftest import dispose
from tests.shop import Shop
from tests.shop import make_shop

from .browser import Visit
from .browser import served


pytestmark = pytest.mark.browser

CHECKOUT = "/pay/checkout/A1"


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def selling(simulator: Simulator, tmp_path: Path) -> Iterator[Shop]:
    """A shop with one order, which sells through *simulator* and protects its forms."""
    shop = make_shop(
        f"sqlite:///{tmp_path / 'shop.db'}",
        SPAYON_API_URL=simulator.url,
        SPAYON_PUBLIC_URL=None,
        SPAYON_SHOP_NAME="Tea House",
        SPAYON_STATUS_INTERVAL=1,
    )
    CSRFProtect(shop.app)
    shop.app.add_url_rule("/", "home", lambda: "the shop")
    shop.add_order()
    yield shop
    dispose(shop)


@pytest.fixture
def home(selling: Shop, simulator: Simulator) -> Iterator[str]:
    with served(selling.app, simulator.url) as url:
        yield url


def tab_to(page: Page, text: str) -> None:
    """Press Tab until what has the focus is named *text*."""
    for _ in range(30):
        page.keyboard.press("Tab")
        named = page.evaluate("(document.activeElement.innerText || document.activeElement.name)")

        if text in named:
            return

    pytest.fail(f"no Tab leads to {text!r}")


def test_an_order_is_paid_once(visit: Visit, selling: Shop) -> None:
    page = visit.open(CHECKOUT)
    page.get_by_role("button", name="Continue to payment").click()
    page.locator("button[name=pay]").click()

    expect(page.get_by_role("heading")).to_have_text("Payment received")
    assert selling.paid_times() == 1
    assert visit.complaints == []


def test_an_order_is_paid_with_nothing_but_the_keyboard(visit: Visit, selling: Shop) -> None:
    page = visit.open(CHECKOUT)
    tab_to(page, "email")
    page.keyboard.type("ani@example.am")
    tab_to(page, "full_name")
    page.keyboard.type("Անի Սարյան")
    tab_to(page, "Continue to payment")
    page.keyboard.press("Enter")
    page.wait_for_url("**/pay/*")
    tab_to(page, "Pay")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading")).to_have_text("Payment received")
    tab_to(page, "Back to the shop")
    page.keyboard.press("Enter")

    expect(page.locator("body")).to_have_text("the shop")
    assert selling.paid_times() == 1


def test_an_order_is_paid_without_scripts(browser: Browser, home: str, selling: Shop) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(home + CHECKOUT)
    page.get_by_role("button", name="Continue to payment").click()
    page.locator("button[name=pay]").click()

    expect(page.get_by_role("heading")).to_have_text("Payment received")
    assert selling.paid_times() == 1
    context.close()


def test_a_double_click_pays_once(visit: Visit, selling: Shop) -> None:
    page = visit.open(CHECKOUT)
    page.get_by_role("button", name="Continue to payment").dblclick()
    # Each click is a navigation, and the second aborts the first: wait for the page, not for one.
    expect(page.locator("button[name=pay]")).to_be_visible()

    with selling.app.app_context():
        assert selling.db.session.query(selling.spayon.Payment).count() == 1


def test_a_declined_payer_reads_why_and_tries_again(visit: Visit, selling: Shop) -> None:
    page = visit.open(CHECKOUT)
    page.get_by_role("button", name="Continue to payment").click()
    page.get_by_label("Card number").fill("4000 0000 0000 0069")
    page.locator("button[name=pay]").click()
    page.locator("[name=give_up]").click()

    expect(page.get_by_role("heading")).to_have_text("The payment did not go through")
    expect(page.locator("main")).to_contain_text("The card number, expiry date or CVV is not right")

    page.get_by_role("link", name="Try again").click()
    page.get_by_role("button", name="Continue to payment").click()
    page.locator("button[name=pay]").click()
    expect(page.get_by_role("heading")).to_have_text("Payment received")
    assert selling.paid_times() == 1


def test_a_payer_who_went_back_can_go_on(visit: Visit, selling: Shop) -> None:
    page = visit.open(CHECKOUT)
    page.get_by_role("button", name="Continue to payment").click()
    page.locator(".bill-back a").click()

    expect(page.locator("main")).to_contain_text("Nothing was charged. You can still pay until")
    page.get_by_role("link", name="Continue to payment").click()
    page.locator("button[name=pay]").click()
    expect(page.get_by_role("heading")).to_have_text("Payment received")
    assert visit.complaints == []


def test_a_second_tab_leads_to_the_same_payment(visit: Visit, selling: Shop) -> None:
    page = visit.open(CHECKOUT)
    page.get_by_role("button", name="Continue to payment").click()
    page.wait_for_url("**/pay/*")
    hosted = page.url
    visit.open(CHECKOUT)

    expect(page.locator("main")).to_contain_text("You have started to pay")
    page.get_by_role("button", name="Continue to payment").click()
    page.wait_for_url(hosted)


def test_a_mistyped_address_is_kept_and_explained(visit: Visit) -> None:
    page = visit.open(CHECKOUT)
    page.get_by_label("Email").fill("ani@example")
    page.get_by_label("Full name").fill("<b>Ani</b>")
    page.get_by_role("button", name="Continue to payment").click()

    expect(page.get_by_label("Email")).to_have_value("ani@example")
    expect(page.get_by_label("Email")).to_have_accessible_description(
        "Please write an email address such as name@example.com."
    )
    expect(page.get_by_label("Full name")).to_have_value("<b>Ani</b>")


def test_a_paid_order_says_so(visit: Visit, selling: Shop) -> None:
    selling.add_payment("S1", status="paid")
    page = visit.open(CHECKOUT)

    expect(page.locator("main")).to_contain_text("This order is paid")
    page.get_by_role("link", name="See the payment").click()
    expect(page.get_by_role("heading")).to_have_text("Payment received")


def test_a_gateway_that_is_away_is_no_dead_end(
    visit: Visit, simulator: Simulator, selling: Shop
) -> None:
    page = visit.open(CHECKOUT)
    simulator.stop()
    page.get_by_role("button", name="Continue to payment").click()
    expect(page.get_by_role("heading")).to_have_text("Payment is not possible right now")

    simulator.start()
    page.get_by_role("link", name="Try again").click()
    page.get_by_role("button", name="Continue to payment").click()
    page.locator("button[name=pay]").click()
    expect(page.get_by_role("heading")).to_have_text("Payment received")


def test_the_return_page_waits_for_the_news_by_itself(
    visit: Visit, simulator: Simulator, selling: Shop
) -> None:
    page = visit.open(CHECKOUT)
    page.get_by_role("button", name="Continue to payment").click()
    page.wait_for_url("**/pay/*")
    session_id = page.url.rpartition("/")[2]
    visit.open(f"/pay/return?session_id={session_id}")
    expect(page.get_by_role("heading")).to_have_text("Confirming your payment")

    simulator.pay(session_id)
    expect(page.get_by_role("heading")).to_have_text("Payment received", timeout=15_000)
