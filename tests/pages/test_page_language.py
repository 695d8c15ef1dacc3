"""The language that a page of the real blueprint speaks, and the time that it tells."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from babel import Locale
from flask import render_template_string
from flask_babel import Babel  # type: ignore[import-untyped]  # it has no types

from spayon_flask import Order
from spayon_flask.simulator import Simulator
from tests.shop import Shop

ORDER = Order(order_id="A1", product_name="Tea", price=Decimal(1000), currency="AMD")


def language_of(shop: Shop, path: str = "/pay/checkout/A1", accept: str = "ru") -> str:
    """Give the `lang` of the page at *path* for a browser that asks for *accept*."""
    html = shop.app.test_client().get(path, headers={"Accept-Language": accept}).text

    return html.partition('<html lang="')[2][:2]


def sell(shop: Shop, language: str | None = None) -> Shop:
    """Let *shop* sell one order, in *language*."""
    shop.spayon.order_loader(
        lambda order_id: replace(ORDER, language=language) if order_id == "A1" else None
    )

    return shop


def with_babel(shop: Shop) -> Shop:
    """Have the Flask-Babel of *shop* choose Armenian and the time of Yerevan."""
    Babel(shop.app, locale_selector=lambda: "hy_AM", timezone_selector=lambda: "Asia/Yerevan")
    return shop


ARMENIAN: Any = Locale("hy", "AM")


@pytest.mark.parametrize(
    ("order", "function", "settings", "babel", "language"),
    [
        ("en", None, None, True, "en"),
        ("hy", "en", None, False, "hy"),
        (None, "en", None, True, "en"),
        (None, ARMENIAN, None, False, "hy"),
        (None, None, "hy", False, "hy"),
        (None, None, None, True, "hy"),
        (None, "", None, False, "ru"),
        (None, "de", None, False, "ru"),
        # We speak no such language.
        ("<script>", None, None, False, "ru"),
    ],
)
def test_the_order_counts_then_the_shop_s_function_the_settings_flask_babel_and_the_browser(
    own_shop: Callable[..., Shop],
    *,
    order: str | None,
    function: Any,
    settings: str | None,
    babel: bool,
    language: str,
) -> None:
    shop = sell(own_shop(SPAYON_LANGUAGE=settings), order)
    shop.spayon.language(lambda: function)

    if babel:
        with_babel(shop)

    assert language_of(shop) == language


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        ("ru", "ru"),
        ("de, en;q=0.5, hy;q=0.9", "hy"),
        ("hy-AM", "hy"),
        ("RU-ru, en;q=0.9", "ru"),
        ("ru;q=0, hy;q=0.1", "hy"),
        ("ru;q=0", "en"),
        ("de-AT, fr;q=0.8", "en"),
        ("<script>", "en"),
        ("ru;q=x", "en"),
        ("hy" * 5000, "en"),
        (",,;;", "en"),
        ("*", "en"),
        ("../../etc", "en"),
    ],
)
def test_the_browser_decides_if_the_shop_does_not(shop: Shop, accept: str, language: str) -> None:
    assert language_of(sell(shop), accept=accept) == language


def test_an_error_page_speaks_the_language_of_the_browser(shop: Shop) -> None:
    assert language_of(sell(shop), "/pay/checkout/unknown") == "ru"


def test_a_page_of_a_payment_speaks_the_language_it_was_begun_in(shop: Shop) -> None:
    shop.add_payment("S1", language="hy", status="paid")

    assert language_of(sell(shop), "/pay/return?session_id=S1") == "hy"


@pytest.mark.parametrize(
    ("settings", "babel", "shown"),
    [
        (None, "Asia/Yerevan", "16:15"),
        ("Asia/Tbilisi", "Europe/Paris", "16:15"),
        # That nobody chose this zone is said.
        (None, None, "12:15 UTC"),
    ],
)
def test_the_time_is_that_of_the_settings_then_of_flask_babel(
    own_shop: Callable[..., Shop], settings: str | None, babel: str | None, shown: str
) -> None:
    shop = own_shop(SPAYON_TIMEZONE=settings)
    Babel(shop.app, timezone_selector=lambda: babel)
    shop.add_payment("S1")
    html = shop.app.test_client().get("/pay/cancel/reference-of-S1-A1").text

    assert f'<time datetime="2026-11-22T12:15:00+00:00">{shown}</time>' in html


def test_the_macros_speak_the_language_of_the_page(own_shop: Callable[..., Shop]) -> None:
    source = (
        '{% import "spayon/macros.html" as spayon %}'
        '{{ spayon.pay_button("A1") }}{{ spayon.payment_state("paid") }}'
    )

    with with_babel(own_shop()).app.test_request_context():
        html = render_template_string(source)

    assert 'href="/pay/checkout/A1">Վճարել</a>' in html
    assert "Վճարված է" in html


@pytest.mark.parametrize(
    ("settings", "order", "function", "sent"),
    [
        ({}, None, None, "ru"),
        ({}, "hy", None, "hy"),
        ({"SPAYON_LANGUAGE": "hy"}, None, None, "hy"),
        ({"SPAYON_LANGUAGE": "en"}, None, "hy", "hy"),
        ({"SPAYON_LANGUAGE_CODES": {"ru": "rus"}}, None, None, "rus"),
    ],
)
def test_spayon_is_told_the_language_of_the_page(
    own_shop: Callable[..., Shop],
    sim: Simulator,
    settings: dict[str, Any],
    order: str | None,
    function: str | None,
    sent: str,
) -> None:
    shop = sell(own_shop(SPAYON_API_URL=sim.url, **settings), order)
    shop.spayon.language(lambda: function)
    shop.app.test_client().post("/pay/checkout/A1", headers={"Accept-Language": "ru"})

    assert [each.creation.language for each in sim.sessions] == [sent]


@pytest.mark.parametrize("path", ["/pay/checkout/unknown", "/pay/return", "/pay/cancel/x"])
def test_error_pages_speak_what_the_shop_s_function_says(shop: Shop, path: str) -> None:
    sell(shop).spayon.language(lambda: "hy")

    assert language_of(shop, path) == "hy"


def test_a_function_that_fails_spoils_no_page(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    sell(shop).spayon.language(lambda: str(1 // 0))

    assert language_of(shop) == "ru"
    assert "the language function failed" in caplog.text
