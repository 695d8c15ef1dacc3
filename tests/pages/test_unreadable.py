"""The page of a payer whose payment cannot be looked at: a script asks until it can."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, expect

from tests.pages.browser import served
from tests.shop import Shop
from tests.test_surviving import PAGES, no_database


@pytest.fixture
def shop(own_shop: Callable[..., Shop]) -> Shop:
    """A shop of its own with one payment: `served` adds a policy to the app."""
    shop = own_shop()
    shop.add_pending()
    return shop


@pytest.mark.parametrize("path", PAGES)
def test_once_the_database_is_back_the_page_is_there_by_itself(
    shop: Shop, browser: Browser, path: str
) -> None:
    page = browser.new_page()

    with served(shop.app) as url:
        with no_database(shop):
            page.goto(url + path)
            expect(page.locator("h1")).to_have_text("We cannot look at your payment just now")

        expect(page.locator("h1")).not_to_contain_text("cannot look")
        page.close()


def test_a_page_that_tries_no_more_does_not_say_that_it_tries(shop: Shop, browser: Browser) -> None:
    page = browser.new_page()
    page.clock.install(time=0)

    with served(shop.app) as url, no_database(shop):
        page.goto(url + PAGES[0])
        expect(page.get_by_text("This page tries again by itself.")).to_be_visible()
        expect(page.locator("#spayon-stopped")).to_be_hidden()

        page.clock.fast_forward(21 * 60_000)

        expect(page.locator("#spayon-stopped")).to_be_visible()
        expect(page.get_by_text("This page tries again by itself.")).to_be_hidden()
        expect(page.locator("#spayon-announcement")).to_contain_text("stopped asking")
        page.close()
