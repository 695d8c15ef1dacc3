"""A bug hunt in a real Chromium: found, understood and healed by the inspector, no terminal."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from spayon_flask.simulator import Simulator
from tests import shop as shops

ORDERS = ("A1", "B2", "C3")


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Return a page of a desk's width."""
    page = browser.new_page()
    yield page
    page.close()


def test_a_handler_that_fails_for_one_order_is_found_understood_and_healed(
    live_shop: shops.Shop, sim: Simulator, page: Page
) -> None:
    """Three orders are paid, and the goods of one do not go out."""

    def out_of_stock(status: str, payment: Any) -> None:
        if payment.order_id == "B2":
            raise RuntimeError("no such thing in stock")

    live_shop.handle = out_of_stock
    payer = live_shop.app.test_client()
    for order_id in ORDERS:
        live_shop.add_order(order_id)
        payer.post(f"/pay/checkout/{order_id}")

    # The developer pays all three from the inspector.
    for order_id in ORDERS:
        page.goto(f"{sim.url}/_simulator/?q={order_id}")
        page.get_by_role("row", name=order_id).get_by_role("link").first.click()
        page.get_by_role("button", name="Pay", exact=True).click()
        expect(page.get_by_role("status")).to_contain_text("The session is paid")

    # Found: among the callbacks, those that the shop did not take.
    page.get_by_role("link", name="Callbacks").click()
    page.get_by_label("Answer", exact=True).select_option("bad")
    page.get_by_role("button", name="Filter").click()
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("B2")
    expect(rows).to_contain_text("500, again at")

    # Understood: the shop's own code has failed, and it does so each time.
    rows.get_by_role("link", name="#").click()
    expect(page.locator(".attempt")).to_contain_text("The shop's own code failed")
    page.get_by_text("The shop’s answer").click()
    expect(page.locator(".attempt pre").last).not_to_be_empty()
    page.get_by_role("button", name="Send again").click()
    expect(page.get_by_role("status")).to_contain_text("Callback: 500")
    assert [live_shop.paid_times(order_id) for order_id in ORDERS] == [1, 0, 1]

    # The same bytes under a wrong signature are refused, so the handler is what fails.
    page.get_by_label("Signature").select_option("none")
    page.get_by_role("button", name="Send as edited").click()
    expect(page.get_by_role("status")).to_contain_text("Callback: 401. 401 is right")

    # Healed: the developer mends the handler, and sends the callback once more.
    live_shop.handle = None
    page.get_by_role("button", name="Send again").click()
    expect(page.get_by_role("status")).to_contain_text("Callback: 200")
    assert [live_shop.paid_times(order_id) for order_id in ORDERS] == [1, 1, 1]

    # The retry that was to come anyway changes nothing any more.
    page.get_by_role("button", name="+5 min").click()
    expect(page.locator(".held")).to_contain_text("ahead")
    page.get_by_role("link", name="Callbacks").click()
    expect(page.get_by_role("cell", name="retry 2 of 3")).to_be_visible()
    expect(page.get_by_role("cell", name="500, 200")).to_be_visible()
    assert live_shop.paid_times("B2") == 1
