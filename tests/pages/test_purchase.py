"""The whole purchase in a real browser: the real blueprint, the simulator, the strict policy."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask_wtf import CSRFProtect  # type: ignore[import-untyped]  # it has no types
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import make_server

from spayon_flask.simulator import Simulator
from tests.kept import dispose
from tests.listening import listening
from tests.pages.browser import Visit, served
from tests.shop import Shop, make_shop

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


def go_on(page: Page) -> None:
    """Press the button of the checkout page."""
    page.get_by_role("button", name="Continue to payment").click()


def pay(page: Page) -> None:
    """Pay on the hosted page, and see that the payment was received."""
    page.locator("button[name=pay]").click()
    expect(page.get_by_role("heading")).to_have_text("Payment received")


def tab_to(page: Page, text: str) -> None:
    """Press Tab until what has the focus is named *text*."""
    for _ in range(30):
        page.keyboard.press("Tab")
        named = page.evaluate("(document.activeElement.innerText || document.activeElement.name)")

        if text in named:
            return

    pytest.fail(f"no Tab leads to {text!r}")


@pytest.mark.always
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
    assert visit.complaints == []


def test_an_order_is_paid_without_scripts(browser: Browser, home: str, selling: Shop) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(home + CHECKOUT)
    go_on(page)
    pay(page)
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
    go_on(page)
    page.get_by_label("Card number").fill("4000 0000 0000 0069")
    page.locator("button[name=pay]").click()
    page.locator("[name=give_up]").click()

    expect(page.get_by_role("heading")).to_have_text("The payment did not go through")
    expect(page.locator("main")).to_contain_text("The card number, expiry date or CVV is not right")

    page.get_by_role("link", name="Try again").click()
    go_on(page)
    pay(page)
    assert selling.paid_times() == 1


def test_a_payer_who_went_back_can_go_on(visit: Visit, selling: Shop) -> None:
    page = visit.open(CHECKOUT)
    go_on(page)
    page.locator(".bill-back a").click()

    expect(page.locator("main")).to_contain_text("Nothing was charged. You can still pay until")
    page.get_by_role("link", name="Continue to payment").click()
    pay(page)
    assert visit.complaints == []


@pytest.mark.always
def test_the_return_page_waits_for_the_news_by_itself(
    visit: Visit, simulator: Simulator, selling: Shop
) -> None:
    page = visit.open(CHECKOUT)
    go_on(page)
    page.wait_for_url("**/pay/*")
    session_id = page.url.rpartition("/")[2]
    visit.open(f"/pay/return?session_id={session_id}")
    expect(page.get_by_role("heading")).to_have_text("Confirming your payment")

    simulator.pay(session_id)
    expect(page.get_by_role("heading")).to_have_text("Payment received")


def test_a_gateway_that_takes_more_than_a_second_gives_a_sign(visit: Visit) -> None:
    page = visit.page
    page.clock.install(time=0)
    page.clock.pause_at(1000)
    visit.open(CHECKOUT)
    sign = page.get_by_text("One moment, please: the payment page is being opened.")
    # As long as Spayon has not answered, the browser stays on this page.
    page.evaluate("document.forms[0].addEventListener('submit', it => it.preventDefault())")
    go_on(page)
    page.clock.run_for(900)
    expect(sign).to_be_hidden()

    page.clock.run_for(200)
    expect(sign).to_be_visible()

    # The payer stops waiting, or comes back.
    page.evaluate("window.dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    expect(sign).to_be_hidden()


def test_a_page_of_another_site_cannot_fill_in_the_form_of_a_payer(
    visit: Visit, simulator: Simulator
) -> None:
    evil = Flask("evil")
    form = (
        f'<form method="post" action="{visit.home}{CHECKOUT}">'
        '<input name="email" value="evil@example.am"><button>Win</button></form>'
    )
    evil.add_url_rule("/", "win", lambda: form)
    visit.open(CHECKOUT)

    with listening(make_server("127.0.0.1", 0, evil)) as url:
        page = visit.page
        page.goto(url.replace("127.0.0.1", "localhost"))
        page.get_by_role("button", name="Win").click()
        expect(page.get_by_role("alert")).to_contain_text("press the button again")

    expect(page.get_by_label("Email")).to_have_value("")
    assert len(simulator.sessions) == 0

    go_on(page)
    pay(page)


def test_a_browser_without_cookies_pays_at_the_second_press(visit: Visit, selling: Shop) -> None:
    page = visit.open(CHECKOUT)
    page.get_by_label("Email").fill("ani@example.am")
    page.context.clear_cookies()
    go_on(page)
    expect(page.get_by_role("alert")).to_contain_text("press the button again")
    expect(page.get_by_label("Email")).to_have_value("ani@example.am")

    page.context.clear_cookies()
    go_on(page)
    pay(page)
    assert selling.paid_times() == 1
