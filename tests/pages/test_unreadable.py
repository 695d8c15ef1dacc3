"""The page of a payer whose payment cannot be looked at: a script asks until it can."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser
from playwright.sync_api import expect

from tests.shop import Shop
from tests.test_surviving import PAGES
from tests.test_surviving import no_database

from .browser import served


pytestmark = pytest.mark.browser


@pytest.mark.parametrize("path", PAGES)
def test_once_the_database_is_back_the_page_is_there_by_itself(
    shop: Shop, browser: Browser, path: str
) -> None:
    shop.add_order()
    shop.add_payment()
    page = browser.new_page()

    with served(shop.app) as url:
        with no_database(shop):
            page.goto(url + path)
            expect(page.locator("h1")).to_have_text("We cannot look at your payment just now")

        expect(page.locator("h1")).not_to_contain_text("cannot look", timeout=20_000)
        page.close()
