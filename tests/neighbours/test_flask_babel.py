"""Flask-Babel: our pages speak the locale that the shop chose, and tell its time."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask import request
from flask_babel import Babel  # type: ignore[import-untyped]  # it has no types

from spayon_flask import Order
from tests.neighbours.shop import Gateway
from tests.neighbours.shop import Parts
from tests.neighbours.shop import make_app
from tests.neighbours.shop import make_parts


def language_of(app: Flask, path: str = "/pay/checkout/A1", **headers: str) -> str:
    """Return the language that a page says it is in."""
    page = app.test_client().get(path, headers=headers).text
    found = re.search(r'<html[^>]* lang="(\w+)"', page)
    assert found is not None
    return found[1]


@pytest.fixture
def parts() -> Parts:
    """The parts of a shop."""
    return make_parts()


def make_babel_app(parts: Parts, gateway: Gateway, **options: Any) -> Flask:
    """Return a shop with Flask-Babel, whose customers choose by `?lang=`."""
    app = make_app(parts, **gateway.config())
    Babel(app, locale_selector=lambda: request.args.get("lang"), **options)
    return app


def test_the_locale_that_flask_babel_chose_is_spoken(parts: Parts, gateway: Gateway) -> None:
    app = make_babel_app(parts, gateway)

    assert language_of(app, "/pay/checkout/A1?lang=ru") == "ru"
    assert language_of(app, "/pay/checkout/A1?lang=hy") == "hy"


def test_a_locale_with_a_country_is_spoken(parts: Parts, gateway: Gateway) -> None:
    app = make_babel_app(parts, gateway)

    assert language_of(app, "/pay/checkout/A1?lang=hy_AM") == "hy"


def test_flask_babel_counts_for_more_than_the_browser(parts: Parts, gateway: Gateway) -> None:
    app = make_babel_app(parts, gateway)

    assert language_of(app, "/pay/checkout/A1?lang=ru", **{"Accept-Language": "hy"}) == "ru"


def test_the_order_s_language_counts_for_more_than_flask_babel(
    parts: Parts, gateway: Gateway
) -> None:
    app = make_babel_app(parts, gateway)

    @parts.spayon.order_loader
    def load(order_id: str) -> Order:
        return Order(order_id=order_id, product_id=1, language="hy")

    assert language_of(app, "/pay/checkout/A1?lang=ru") == "hy"


def test_a_locale_that_we_do_not_speak_leaves_it_to_the_browser(
    parts: Parts, gateway: Gateway
) -> None:
    app = make_babel_app(parts, gateway)

    assert language_of(app, "/pay/checkout/A1?lang=fr", **{"Accept-Language": "ru"}) == "ru"


def test_without_flask_babel_the_browser_decides(parts: Parts, gateway: Gateway) -> None:
    app = make_app(parts, **gateway.config())

    assert language_of(app, **{"Accept-Language": "hy, en;q=0.5"}) == "hy"


def test_the_cancel_page_tells_the_time_of_flask_babel_s_zone(
    parts: Parts, gateway: Gateway
) -> None:
    app = make_babel_app(parts, gateway, default_timezone="Asia/Yerevan")
    gateway.session_at(app.test_client().post("/pay/checkout/A1"))

    with app.app_context():
        payment = parts.db.session.scalars(parts.db.select(parts.spayon.Payment)).one()
        reference, expires_at = payment.reference, payment.expires_at

    page = app.test_client().get(f"/pay/cancel/{reference}").text

    assert expires_at is not None
    # Armenia keeps UTC+4 the year round.
    assert f">{expires_at + timedelta(hours=4):%H:%M}<" in page
