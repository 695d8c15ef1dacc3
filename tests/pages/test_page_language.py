"""The language that a page of the real blueprint speaks, and the time that it tells."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from babel import Locale
from flask import render_template_string
from flask_babel import Babel  # type: ignore[import-untyped]  # it has no types

from spayon_flask import Order
from spayon_flask.simulator import Simulator
from spayon_flask.testing import connect
from tests.kept import dispose
from tests.shop import Shop, make_shop

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


@pytest.fixture
def babel_shop() -> Iterator[Shop]:
    """A shop whose Flask-Babel chose Armenian and the time of Yerevan."""
    shop = sell(make_shop())
    Babel(shop.app, locale_selector=lambda: "hy_AM", timezone_selector=lambda: "Asia/Yerevan")
    yield shop
    dispose(shop)


def test_the_language_of_the_order_comes_first(babel_shop: Shop) -> None:
    sell(babel_shop, "en")

    assert language_of(babel_shop) == "en"


def test_the_locale_of_flask_babel_comes_next(babel_shop: Shop) -> None:
    assert language_of(babel_shop) == "hy"


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


def test_a_language_in_the_settings_is_the_language_of_the_pages_too() -> None:
    shop = sell(make_shop(SPAYON_LANGUAGE="hy"))

    assert language_of(shop) == "hy"
    dispose(shop)


def test_an_error_page_speaks_the_language_of_the_browser(shop: Shop) -> None:
    assert language_of(sell(shop), "/pay/checkout/unknown") == "ru"


def test_a_page_of_a_payment_speaks_the_language_it_was_begun_in(shop: Shop) -> None:
    shop.add_payment("S1", language="hy", status="paid")

    assert language_of(sell(shop), "/pay/return?session_id=S1") == "hy"


def test_an_order_in_a_language_that_we_do_not_speak_is_shown_all_the_same(shop: Shop) -> None:
    assert language_of(sell(shop, "<script>")) == "ru"


def test_the_time_on_the_cancel_page_is_that_of_flask_babel(babel_shop: Shop) -> None:
    babel_shop.add_payment("S1")
    html = babel_shop.app.test_client().get("/pay/cancel/reference-of-S1-A1").text

    assert '<time datetime="2026-11-22T12:15:00+00:00">16:15</time>' in html


def test_a_time_in_a_zone_that_nobody_chose_says_that_it_is_in_utc(shop: Shop) -> None:
    Babel(shop.app)
    shop.add_payment("S1")

    assert ">12:15 UTC</time>" in shop.app.test_client().get("/pay/cancel/reference-of-S1-A1").text


def test_the_zone_in_the_settings_comes_before_that_of_flask_babel() -> None:
    shop = make_shop(SPAYON_TIMEZONE="Asia/Tbilisi")
    Babel(shop.app, timezone_selector=lambda: "Europe/Paris")
    shop.add_payment("S1")

    assert ">16:15</time>" in shop.app.test_client().get("/pay/cancel/reference-of-S1-A1").text
    dispose(shop)


def test_the_macros_speak_the_language_of_the_page(babel_shop: Shop) -> None:
    source = (
        '{% import "spayon/macros.html" as spayon %}'
        '{{ spayon.pay_button("A1") }}{{ spayon.payment_state("paid") }}'
    )

    with babel_shop.app.test_request_context():
        html = render_template_string(source)

    assert 'href="/pay/checkout/A1">Վճարել</a>' in html
    assert "Վճարված է" in html


@pytest.mark.parametrize(
    ("settings", "order", "sent"),
    [
        ({}, None, "ru"),
        ({}, "hy", "hy"),
        ({"SPAYON_LANGUAGE": "hy"}, None, "hy"),
        ({"SPAYON_LANGUAGE_CODES": {"ru": "rus"}}, None, "rus"),
    ],
)
def test_spayon_is_told_the_language_of_the_page(
    settings: dict[str, Any], order: str | None, sent: str
) -> None:
    with Simulator() as simulator:
        shop = sell(make_shop(SPAYON_API_URL=simulator.url, **settings), order)
        client = shop.app.test_client()
        answer = client.post("/pay/checkout/A1", headers={"Accept-Language": "ru"})

        assert answer.status_code == 303
        session = simulator.find(answer.location.rpartition("/")[2])
        assert session is not None
        assert session.creation.language == sent
        dispose(shop)


@pytest.mark.parametrize("path", ["/pay/checkout/A1", "/pay/checkout/B", "/pay/return"])
def test_no_page_is_kept_by_a_cache_or_told_to_another_site(shop: Shop, path: str) -> None:
    answer = sell(shop).app.test_client().get(path)

    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "same-origin"


class TestWhatTheShopKnowsOfThePayer:
    def test_its_function_counts_for_more_than_flask_babel(self, babel_shop: Shop) -> None:
        babel_shop.spayon.language(lambda: "en")

        assert language_of(babel_shop) == "en"

    @pytest.mark.parametrize("path", ["/pay/checkout/unknown", "/pay/return", "/pay/cancel/x"])
    def test_error_pages_speak_it_too(self, shop: Shop, path: str) -> None:
        sell(shop).spayon.language(lambda: "hy")

        assert language_of(shop, path) == "hy"

    def test_the_order_s_own_language_counts_for_more(self, shop: Shop) -> None:
        sell(shop, "hy").spayon.language(lambda: "en")

        assert language_of(shop) == "hy"

    def test_a_locale_of_babel_is_a_language(self, shop: Shop) -> None:
        locale: Any = Locale("hy", "AM")
        sell(shop).spayon.language(lambda: locale)

        assert language_of(shop) == "hy"

    @pytest.mark.parametrize("says", [None, "", "de"])
    def test_if_it_knows_nothing_the_browser_decides(self, shop: Shop, says: str | None) -> None:
        sell(shop).spayon.language(lambda: says)

        assert language_of(shop) == "ru"

    def test_a_function_that_fails_spoils_no_page(
        self, shop: Shop, caplog: pytest.LogCaptureFixture
    ) -> None:
        sell(shop).spayon.language(lambda: str(1 // 0))

        assert language_of(shop) == "ru"
        assert "the language function failed" in caplog.text

    def test_spayon_s_page_is_asked_for_in_it(self) -> None:
        shop = sell(make_shop(SPAYON_LANGUAGE="en"))
        simulator = connect(shop.app)
        shop.spayon.language(lambda: "hy")
        shop.app.test_client().post("/pay/checkout/A1")

        assert simulator.sessions.of_order("A1")[0].creation.language == "hy"
        dispose(shop)
