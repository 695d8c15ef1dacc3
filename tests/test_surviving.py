"""Pages of a payer while the database is away: 503, friendly, and with a way to try again."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from html import unescape

import pytest
from sqlalchemy.exc import OperationalError

from spayon_flask import Order
from tests.shop import Shop

#: The return page and the cancel page of the same payment.
PAGES = ["/pay/return?session_id=S1", "/pay/cancel/reference-of-S1-A1"]


@contextmanager
def no_database(shop: Shop) -> Iterator[None]:
    """Let every statement fail."""

    def fail(*_: object) -> None:
        raise OperationalError("SELECT secret", {}, OSError("server closed the connection"))

    with shop.ahead_of_statements(fail):
        yield


def reloads(html: str) -> tuple[int, str] | None:
    """Return after how many seconds a page loads itself again, and where; or None."""
    found = re.search(r'<meta http-equiv="refresh" content="(\d+); url=([^"]+)">', html)
    return found and (int(found[1]), unescape(found[2]))


@pytest.mark.parametrize("path", PAGES)
def test_a_page_without_a_database_says_what_to_do_and_loads_itself_again(
    shop: Shop, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    shop.add_pending()
    client = shop.app.test_client()

    with no_database(shop), caplog.at_level(logging.ERROR, "spayon_flask"):
        page = client.get(path)

    assert page.status_code == 503
    assert page.headers["Retry-After"] == "30"
    assert "If you have paid, please do not pay again" in page.text
    assert "not possible" not in page.text
    assert "secret" not in page.text
    assert "a page failed: the database does not answer" in caplog.text

    found = reloads(page.text)
    assert found is not None
    seconds, again = found
    assert seconds == 30
    assert f'href="{again.replace("&", "&amp;")}"' in page.text
    assert again.partition("since=")[0].rstrip("?&") == path
    assert client.get(again).status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_after_twenty_minutes_without_a_database_the_page_loads_itself_no_more(
    shop: Shop, path: str
) -> None:
    shop.add_pending()
    client = shop.app.test_client()

    with no_database(shop):
        again = (reloads(client.get(path).text) or (0, ""))[1]
        shop.clock.step(1199)
        assert reloads(client.get(again).text) == (30, again)

        shop.clock.step(1)
        page = client.get(again)

    assert page.status_code == 503
    assert reloads(page.text) is None
    assert "by itself" not in page.text
    assert "Retry-After" not in page.headers


def test_a_form_of_the_bank_is_answered_with_the_way_to_the_same_payment(shop: Shop) -> None:
    shop.add_pending()

    with no_database(shop):
        page = shop.app.test_client().post("/pay/return", data={"session_id": "S1"})

    assert (reloads(page.text) or (0, ""))[1].startswith("/pay/return?session_id=S1&")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_checkout_page_survives_even_if_the_loader_needs_no_database(
    shop: Shop, method: str
) -> None:
    @shop.spayon.order_loader
    def load(order_id: str) -> Order:
        return Order(order_id=order_id, product_name="Tea", price=Decimal(1), currency="AMD")

    with no_database(shop):
        page = shop.app.test_client().open("/pay/checkout/A1", method=method)

    assert page.status_code == 503
    assert "Your order is kept" in page.text
    assert 'href="/pay/checkout/A1"' in page.text
    assert reloads(page.text) is None


@pytest.mark.parametrize("path", PAGES)
def test_an_error_that_is_not_the_databases_is_the_shops_to_see(
    shop: Shop, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.add_pending()

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    state = shop.app.extensions["spayon"]["spayon"]
    monkeypatch.setattr(state.storage.queries, "attempts_beside", fail)

    with pytest.raises(ZeroDivisionError):
        shop.app.test_client().get(path)
