"""The return page's script: it asks politely, says the news once, and never pushes."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask, abort, render_template
from playwright.sync_api import Browser, Page, expect

from spayon_flask.domain.languages import Language
from spayon_flask.views.pages import named
from tests.pages.browser import served
from tests.pages.shown import NOON, context_of, make_app

MINUTE = 60_000
THEMING = Path(__file__).parents[2] / "docs" / "theming.md"


class Payment:
    """A payment whose *state* a test sets, with the page that shows it."""

    def __init__(self, app: Flask) -> None:
        self.url = ""
        self.state = "pending"
        self.broken = False
        self.asked = 0
        self.looked_at = NOON
        app.add_url_rule("/pay/wait", "spayon.wait", self.show)

    def show(self) -> str:
        self.asked += 1

        if self.broken:
            abort(503)

        context = context_of("return", self.state, Language("en")) | {"looked_at": self.looked_at}
        return render_template("spayon/return.html", **named(context))


@pytest.fixture
def payment(tmp_path: Path) -> Iterator[Payment]:
    app = make_app(tmp_path)
    payment = Payment(app)

    with served(app) as url:
        payment.url = f"{url}/pay/wait"
        yield payment


#: A fetch that is over, body and all, when `answered` is.
ANSWERED = """
    const ask = window.fetch;
    window.answered = Promise.resolve();
    window.fetch = (...asked) => {
      const answer = ask(...asked);
      window.answered = answer.then(async (it) => {
        const text = await it.text();
        it.text = async () => text;
      }, () => {});
      return window.answered.then(() => answer);
    };
"""


@pytest.fixture
def page(browser: Browser, payment: Payment) -> Iterator[Page]:
    """Open the page of a pending payment with a clock that only the test moves."""
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script(ANSWERED)
    page.clock.install(time=0)
    page.clock.pause_at(1000)
    page.goto(payment.url)
    yield page
    context.close()


def pass_time(page: Page, milliseconds: int) -> None:
    """Let time pass in steps, and wait in each for the answer to what it has asked."""
    for _ in range(milliseconds // 2000):
        page.clock.run_for(2000)
        page.evaluate("answered")


def heard(page: Page) -> None:
    """Wait until the page says that the payment was received."""
    page.get_by_role("heading", name="Payment received").wait_for()


def test_the_page_shows_by_itself_that_the_payment_was_paid_and_takes_nobody_anywhere(
    page: Page, payment: Payment
) -> None:
    before = page.evaluate("[performance.timeOrigin, history.length]")
    payment.state = "paid"
    page.clock.run_for(3000)
    heard(page)

    assert page.title() == "Payment received · Tsaghik Jewellery"
    assert page.evaluate("[performance.timeOrigin, history.length]") == before
    assert page.url == payment.url


def test_the_news_are_announced_once(page: Page, payment: Payment) -> None:
    page.evaluate(
        "window.said = []; new MutationObserver(() => said.push(document.getElementById("
        "'spayon-announcement').textContent)).observe(document.getElementById("
        "'spayon-announcement'), {childList: true, characterData: true, subtree: true})"
    )
    pass_time(page, 20_000)
    payment.state = "paid"
    pass_time(page, 30_000)
    heard(page)

    assert page.evaluate("said") == [
        "Payment received. Thank you! Your payment to Tsaghik Jewellery has arrived."
    ]


def test_a_page_with_the_last_word_asks_no_more(page: Page, payment: Payment) -> None:
    payment.state = "failed"
    page.clock.run_for(3000)
    page.get_by_role("heading", name="The payment did not go through").wait_for()
    asked = payment.asked
    pass_time(page, MINUTE)

    assert payment.asked == asked


def test_the_script_asks_less_and_less_often(page: Page, payment: Payment) -> None:
    pass_time(page, 2 * MINUTE)

    assert 5 <= payment.asked <= 20


def test_a_page_left_open_falls_silent_says_so_and_stands_still(
    page: Page, payment: Payment
) -> None:
    assert not page.locator("#spayon-stopped").is_visible()
    page.clock.fast_forward(30 * MINUTE)
    pass_time(page, 20_000)
    asked = payment.asked
    pass_time(page, MINUTE)

    assert payment.asked == asked
    assert page.locator("#spayon-stopped").is_visible()
    assert "stopped asking" in page.locator("#spayon-announcement").inner_text()
    spinner = "getComputedStyle(document.querySelector('.spayon-spinner')).animationName"
    assert page.evaluate(spinner) == "none"


def test_an_answer_that_breaks_off_is_no_news(page: Page, payment: Payment) -> None:
    payment.broken = True
    pass_time(page, 20_000)
    assert page.get_by_role("heading").inner_text() == "Confirming your payment"

    payment.broken = False
    payment.state = "paid"
    pass_time(page, 20_000)
    heard(page)


def test_a_payer_who_is_offline_is_told_until_the_network_is_back(
    page: Page, payment: Payment
) -> None:
    told = page.locator("#spayon-offline")
    expect(told).to_be_hidden()

    page.context.set_offline(True)
    expect(told).to_be_visible()
    pass_time(page, 20_000)
    assert page.get_by_role("heading").inner_text() == "Confirming your payment"

    payment.state = "paid"
    page.context.set_offline(False)
    heard(page)


def test_the_moment_of_the_last_look_is_told_and_nothing_else_moves(
    page: Page, payment: Payment
) -> None:
    looked = page.locator("#spayon-looked")
    expect(looked).to_have_text("Last checked at 12:00:00 UTC")
    page.get_by_role("link", name="Check again").focus()

    payment.looked_at += timedelta(seconds=20)
    pass_time(page, 4000)

    expect(looked).to_have_text("Last checked at 12:00:20 UTC")
    expect(page.get_by_role("link", name="Check again")).to_be_focused()


def test_a_hidden_page_waits_until_it_is_seen_again(page: Page, payment: Payment) -> None:
    page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    asked = payment.asked
    pass_time(page, 20_000)
    assert payment.asked == asked

    payment.state = "paid"
    page.evaluate(
        "Object.defineProperty(document, 'hidden', {value: false});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    heard(page)


@pytest.mark.parametrize(
    ("before", "after"),
    [("Check again", "Payment received"), ("Tsaghik Jewellery", "Tsaghik Jewellery")],
)
def test_the_focus_stays_with_the_news_or_elsewhere(
    page: Page, payment: Payment, before: str, after: str
) -> None:
    page.get_by_role("link", name=before).focus()
    payment.state = "paid"
    pass_time(page, 6000)
    heard(page)

    expect(page.locator(":focus")).to_have_text(after)


def test_a_long_wait_is_explained_and_goes_on(page: Page, payment: Payment) -> None:
    payment.state = "slow"
    pass_time(page, 20_000)
    assert "This takes longer than usual" in page.locator("main").inner_text()

    payment.state = "paid"
    pass_time(page, 20_000)
    heard(page)


@pytest.mark.parametrize("by_link", [True, False])
def test_without_scripts_the_payer_asks_by_a_link_or_the_page_loads_itself_again(
    browser: Browser, payment: Payment, *, by_link: bool
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(payment.url)
    payment.state = "paid"

    if by_link:
        page.get_by_role("link", name="Check again").click()

    expect(page.get_by_role("heading")).to_have_text("Payment received")
    context.close()


def test_a_purchase_is_counted_once_by_the_recipe_of_the_documentation(
    browser: Browser, tmp_path: Path
) -> None:
    recipe = THEMING.read_text("utf-8").partition("## A purchase counted once\n")[2]
    block = re.compile(r"^```(?:html\+jinja|js)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    template, script = block.findall(recipe)[:2]
    (tmp_path / "static").mkdir()
    script = re.sub("// your statistic.*", "console.log(`counted ${reference}`);", script)
    (tmp_path / "static" / "purchase.js").write_text(script)
    app = make_app(tmp_path, **{"return": template})
    payment = Payment(app)
    counted: list[str] = []
    context = browser.new_context()

    with served(app) as url:
        page = context.new_page()
        page.on("console", lambda message: counted.append(message.text))
        page.goto(f"{url}/pay/wait")

        # The page's own script brings the news; then the payer loads the page again.
        with page.expect_console_message():
            payment.state = "paid"

        page.reload()
        heard(page)

    context.close()
    assert counted == ["counted R-1"]
