"""Strangers at the door of the payers' pages: guessed numbers, foreign sites, frames, old forms."""

import re
from collections.abc import Callable
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from flask import Response, abort
from flask_wtf import CSRFProtect  # type: ignore[import-untyped]  # it has no types

import spayon_flask
from spayon_flask import Order
from spayon_flask.simulator import Simulator
from tests.pages.test_templates import words_of
from tests.shop import Shop

CHECKOUT = "/pay/checkout/A1"
HIDDEN = ("/thanks", "/orders/", "Cup", "Tea", "1,000", "S1", "reference-of")
AGAIN = "press the button again"

OwnShop = Callable[..., Shop]


def sell(shop: Shop, **fields: Any) -> None:
    """Have *shop* sell one order, by the key `A1` or by the one in *fields*."""
    values = {"order_id": "A1", "product_name": "Tea", "price": Decimal(1000), "currency": "AMD"}
    values |= {"url": "/orders/A1", "thanks_url": "/thanks"}
    order = Order(**{**values, "lines": [("Cup", 2, Decimal(500))], **fields})
    shop.spayon.order_loader(lambda key: order if key == order.key else None)
    shop.add_order()


@pytest.fixture
def shop(own_shop: OwnShop, sim: Simulator) -> Shop:
    shop = own_shop(SPAYON_API_URL=sim.url, SPAYON_SHOP_NAME="Maran")
    shop.clock.now = sim.clock.now()
    return shop


@pytest.mark.parametrize("status", ["paid", "review"])
def test_whoever_guesses_the_number_of_an_order_learns_only_that_it_is_paid(
    shop: Shop, status: str
) -> None:
    sell(shop)
    shop.add_payment(status=status)
    client = shop.app.test_client()
    page = client.get(CHECKOUT)
    said = "This order is paid" if status == "paid" else "We are checking your payment"

    assert page.status_code == 200
    assert said in page.text
    assert [each for each in HIDDEN if each in page.text] == []

    answer = client.post(CHECKOUT, data={"email": "ani@example.am"})
    assert (answer.status_code, answer.location) == (303, CHECKOUT)


@pytest.mark.parametrize("status", ["paid", "review"])
def test_whoever_has_the_key_of_an_order_is_led_on_to_its_payment(shop: Shop, status: str) -> None:
    sell(shop, key="k-3fQ")
    shop.add_payment(status=status)
    client = shop.app.test_client()
    page = client.get("/pay/checkout/k-3fQ").text

    assert 'href="/pay/return?session_id=S1"' in page
    assert "Cup" in page
    assert client.post("/pay/checkout/k-3fQ").location == "/pay/return?session_id=S1"


FOREIGN = (
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site", "Origin": "https://blog.shop.test"},
    {"Origin": "https://evil.example"},
    {"Origin": "http://shop.test.evil.example"},
    {"Origin": "http://shop.test:8000"},
    {"Origin": "null"},
    {"Origin": "http://["},
)
OURS: tuple[dict[str, str], ...] = (
    {},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    # A proxy ends TLS, and may hide the host.
    {"Origin": "https://shop.test"},
    {"Origin": "http://localhost"},
)


def test_a_form_that_another_site_has_sent_writes_nothing_and_is_shown_again(
    shop: Shop, sim: Simulator
) -> None:
    sell(shop)
    client = shop.app.test_client()

    for headers in FOREIGN:
        answer = client.post(CHECKOUT, data={"email": "evil@example.am"}, headers=headers)
        assert answer.status_code == 403, headers
        assert AGAIN in words_of(answer.text)
        assert "evil@example.am" not in answer.text
        assert "Continue to payment" in answer.text

    assert len(sim.sessions) == 0

    for headers in OURS:
        assert client.post(CHECKOUT, headers=headers).status_code == 303, headers


def token_in(page: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def test_a_form_that_grew_old_is_shown_again_filled_and_the_next_press_works(
    shop: Shop, sim: Simulator
) -> None:
    CSRFProtect(shop.app)
    sell(shop)
    client = shop.app.test_client()
    typed = {"email": "ani@example.am", "csrf_token": "of an hour ago"}
    answer = client.post(CHECKOUT, data=typed)

    assert answer.status_code == 400
    assert AGAIN in words_of(answer.text)
    assert 'value="ani@example.am"' in answer.text
    assert len(sim.sessions) == 0

    typed["csrf_token"] = token_in(answer.text)
    assert client.post(CHECKOUT, data=typed).status_code == 303
    assert [each.creation.email for each in sim.sessions] == ["ani@example.am"]


def test_a_browser_without_cookies_can_pay_if_it_says_where_the_form_came_from(
    shop: Shop, sim: Simulator
) -> None:
    CSRFProtect(shop.app)
    sell(shop)
    headers = {"Sec-Fetch-Site": "same-origin"}
    client = shop.app.test_client(use_cookies=False)
    page = client.post(CHECKOUT, data={"csrf_token": "x"}, headers=headers).text
    again = {"csrf_token": token_in(page), "spayon_again": "yes"}

    # Who does not say it may be anybody.
    assert client.post(CHECKOUT, data=again).status_code == 400
    assert client.post(CHECKOUT, data=again, headers=headers).status_code == 303
    assert len(sim.sessions) == 1


def test_every_page_of_ours_is_kept_by_nobody_guessed_by_nobody_and_framed_by_nobody(
    shop: Shop,
) -> None:
    sell(shop)
    shop.add_payment(status="failed")
    client = shop.app.test_client()
    pages = (
        *(CHECKOUT, "/pay/checkout/none", "/pay/return?session_id=S1", "/pay/return"),
        *("/pay/cancel/reference-of-S1-A1", "/pay/cancel/nobody"),
    )

    for path in pages:
        headers = client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["Cache-Control"] == "no-store", path
        assert headers["Content-Security-Policy"] == "frame-ancestors 'none'", path
        assert headers["X-Robots-Tag"] == "noindex", path
        assert headers["Referrer-Policy"] == "same-origin", path

    shop.spayon.order_loader(lambda _: abort(403))
    refused = client.get(CHECKOUT)
    assert refused.status_code == 403
    assert refused.headers["Cache-Control"] == "no-store"
    assert "frame-ancestors" in refused.headers["Content-Security-Policy"]


def test_a_shop_s_own_headers_are_kept(shop: Shop) -> None:
    @shop.app.after_request
    def frame(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = "frame-ancestors https://portal.example"
        return response

    sell(shop)
    policy = shop.app.test_client().get(CHECKOUT).headers.get_all("Content-Security-Policy")

    assert policy == ["frame-ancestors https://portal.example"]


def test_the_address_of_a_static_file_names_its_contents(shop: Shop) -> None:
    sell(shop)
    style = (Path(spayon_flask.__file__).parent / "static/spayon.css").read_bytes()
    version = sha256(style).hexdigest()[:8]
    page = shop.app.test_client().get(CHECKOUT).text

    assert f'href="/pay/static/spayon/spayon.css?v={version}"' in page


def test_production_never_says_that_no_money_moves(own_shop: OwnShop) -> None:
    shop = own_shop(
        SPAYON_ENVIRONMENT="production",
        SPAYON_PUBLIC_URL="https://shop.test",
        SPAYON_CLIENT_SECRET="a real one",
        SPAYON_CALLBACK_SECRET="another real one",
    )
    sell(shop)

    assert "no real money moves" not in shop.app.test_client().get(CHECKOUT).text


def test_a_closed_order_is_shown_with_its_text_and_cannot_be_paid(
    shop: Shop, sim: Simulator
) -> None:
    sell(shop, key="k-3fQ", closed="You have cancelled <this> order.")
    client = shop.app.test_client()
    page = client.get("/pay/checkout/k-3fQ").text

    assert "This order cannot be paid any more" in page
    assert "You have cancelled &lt;this&gt; order." in page
    assert "Continue to payment" not in page
    assert client.post("/pay/checkout/k-3fQ").location == "/pay/checkout/k-3fQ"
    assert len(sim.sessions) == 0


def test_of_a_closed_order_it_is_still_told_what_became_of_its_payments(shop: Shop) -> None:
    sell(shop, key="k-3fQ", closed="Cancelled.")
    shop.add_payment(order_key="k-3fQ")
    client = shop.app.test_client()
    page = client.get("/pay/checkout/k-3fQ").text
    assert "I have paid already: see the payment" in page

    cancel = client.get("/pay/cancel/reference-of-S1-A1").text
    assert "Cancelled." in cancel
    assert "Continue to payment" not in cancel

    change(shop, status="failed")
    back = client.get("/pay/return?session_id=S1").text
    assert "Cancelled." in back
    assert "Try again" not in back

    change(shop, status="paid")
    assert "This order is paid" in client.get("/pay/checkout/k-3fQ").text


def change(shop: Shop, **values: object) -> None:
    """Write *values* to the only payment of *shop*."""
    with shop.app.app_context():
        shop.db.session.execute(shop.db.update(shop.spayon.Payment).values(values))
        shop.db.session.commit()


def test_a_post_that_waits_for_another_ones_session_gets_a_page_that_goes_on_by_itself(
    shop: Shop,
) -> None:
    sell(shop)
    shop.add_payment(None)
    client = shop.app.test_client()
    page = client.post(CHECKOUT)

    assert page.status_code == 503
    assert "One moment, please" in page.text
    going_on = re.search(r'http-equiv="refresh" content="3; url=([^"]+)"', page.text)
    assert going_on is not None
    assert "Continue to payment" in client.get(going_on[1]).text

    url, later = "http://127.0.0.1:9/pay/S1", shop.clock.now.replace(year=2030)
    change(shop, session_id="S1", session_url=url, expires_at=later)

    assert client.get(going_on[1]).location == url


def test_what_was_typed_is_sent_again_after_an_error_of_the_gateway(
    shop: Shop, sim: Simulator
) -> None:
    sell(shop)
    client = shop.app.test_client()
    sim.fault("error", on="sessions", code=503, times=1)
    page = client.post(CHECKOUT, data={"email": "ani@example.am"})

    assert page.status_code == 503
    assert '<input type="hidden" name="email" value="ani@example.am">' in page.text
    assert f'<form method="post" action="{CHECKOUT}">' in page.text


def test_the_form_says_why_the_last_try_failed(shop: Shop) -> None:
    sell(shop, key="k-3fQ")
    shop.add_payment(
        status="failed",
        held_order_id=None,
        decline_reasons=[{"responseCode": "14", "responseReasonEn": "Invalid card"}],
    )
    words = words_of(shop.app.test_client().get("/pay/checkout/k-3fQ").text)

    assert "Spayon reported that the last try failed The card number, expiry date or CVV" in words


def test_a_relative_link_in_the_shop_s_frame_asks_no_order_loader(shop: Shop) -> None:
    asked: list[str] = []
    shop.spayon.order_loader(asked.append)
    client = shop.app.test_client()

    for dest in ("style", "script", "image", "font"):
        answer = client.get("/pay/checkout/pay.css", headers={"Sec-Fetch-Dest": dest})
        assert answer.status_code == 404

    assert asked == []


def test_the_page_of_a_paid_order_lists_what_was_bought_and_what_is_known_of_the_amount(
    shop: Shop,
) -> None:
    sell(shop, thanks_url=None)
    moment = shop.clock()
    shop.add_payment(status="paid")
    shop.add_payment("S2", status="paid", reviewed_at=moment, order_id="A2")
    words = [
        words_of(shop.app.test_client().get(f"/pay/return?session_id={each}").text)
        for each in ("S1", "S2")
    ]

    assert "Cup × 2 1,000 AMD Amount 1,000 AMD" in words[0]
    assert "Payment received" in words[1]
    # A person has accepted what nobody could read.
    assert "Amount Spayon named none that can be read" in words[1]
