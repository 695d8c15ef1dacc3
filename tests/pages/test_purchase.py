"""The whole purchase in a real browser: the real blueprint, the simulator, the strict policy."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from flask import Flask
from flask_wtf import CSRFProtect  # type: ignore[import-untyped]  # it has no types
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import make_server

from spayon_flask import Order
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
    # By its number alone an order leads nobody on to its payment.
    order = Order(
        order_id="A1", key="k-3fQ", product_name="Tea", price=Decimal(1000), currency="AMD"
    )
    selling.spayon.order_loader(lambda key: order if key == order.key else None)
    selling.add_payment("S1", status="paid")
    page = visit.open("/pay/checkout/k-3fQ")

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


@pytest.mark.always
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
    expect(page.get_by_role("heading")).to_have_text("Payment received")


def test_a_gateway_that_takes_more_than_a_second_gives_a_sign(visit: Visit) -> None:
    page = visit.page
    page.clock.install(time=0)
    page.clock.pause_at(1000)
    visit.open(CHECKOUT)
    sign = page.get_by_text("One moment, please: the payment page is being opened.")
    # As long as Spayon has not answered, the browser stays on this page.
    page.evaluate("document.forms[0].addEventListener('submit', it => it.preventDefault())")
    page.get_by_role("button", name="Continue to payment").click()
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

    page.get_by_role("button", name="Continue to payment").click()
    page.locator("button[name=pay]").click()
    expect(page.get_by_role("heading")).to_have_text("Payment received")


def test_a_form_that_lay_open_too_long_is_shown_again_filled(visit: Visit, selling: Shop) -> None:
    page = visit.open(CHECKOUT)
    page.get_by_label("Email").fill("ani@example.am")
    selling.app.config["WTF_CSRF_TIME_LIMIT"] = -1
    page.get_by_role("button", name="Continue to payment").click()
    expect(page.get_by_role("alert")).to_contain_text("press the button again")
    expect(page.get_by_label("Email")).to_have_value("ani@example.am")

    selling.app.config["WTF_CSRF_TIME_LIMIT"] = 3600
    page.get_by_role("button", name="Continue to payment").click()
    expect(page.locator("button[name=pay]")).to_be_visible()


def test_a_browser_without_cookies_pays_at_the_second_press(visit: Visit, selling: Shop) -> None:
    page = visit.open(CHECKOUT)
    page.context.clear_cookies()
    page.get_by_role("button", name="Continue to payment").click()
    expect(page.get_by_role("alert")).to_contain_text("press the button again")

    page.context.clear_cookies()
    page.get_by_role("button", name="Continue to payment").click()
    page.locator("button[name=pay]").click()
    expect(page.get_by_role("heading")).to_have_text("Payment received")
    assert selling.paid_times() == 1
