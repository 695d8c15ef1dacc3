"""Flask-Talisman: HTTPS everywhere, and a strict Content-Security-Policy."""

import re

from flask import Flask
from flask_talisman import Talisman  # type: ignore[import-untyped]  # it has no types
from werkzeug.middleware.proxy_fix import ProxyFix

from spayon_flask.testing import post_callback
from tests.neighbours.shop import Gateway, Parts, make_app, make_parts

SHOP = "https://shop.test"


def shop_with_talisman(gateway: Gateway) -> tuple[Flask, Parts]:
    """Return a shop behind a proxy that ends TLS."""
    parts = make_parts()
    app = make_app(parts, SPAYON_PUBLIC_URL=SHOP, **gateway.config())
    Talisman(app)
    app.wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]  # Flask's way
    gateway.shop = app
    return app, parts


def test_a_purchase_under_talisman_ends_paid(gateway: Gateway) -> None:
    app, parts = shop_with_talisman(gateway)
    session = gateway.session_at(app.test_client().post("/pay/checkout/A1", base_url=SHOP))

    gateway.pay(session.id)

    assert parts.paid == ["A1"]


def test_a_callback_that_the_proxy_took_over_https_is_not_redirected(gateway: Gateway) -> None:
    app, _ = shop_with_talisman(gateway)
    client = app.test_client()
    client.environ_base["HTTP_X_FORWARDED_PROTO"] = "https"

    assert post_callback(client, "S1").status_code == 200


def test_every_page_holds_to_talisman_s_own_policy(gateway: Gateway) -> None:
    app, parts = shop_with_talisman(gateway)
    client = app.test_client()
    session = gateway.session_at(client.post("/pay/checkout/A1", base_url=SHOP))

    with app.app_context():
        (payment,) = parts.db.session.scalars(parts.db.select(parts.spayon.Payment))
        reference = payment.reference

    for path in (
        "/pay/checkout/A1",
        f"/pay/return?session_id={session.id}",
        f"/pay/cancel/{reference}",
        "/pay/checkout/missing",
    ):
        answer = client.get(path, base_url=SHOP)
        loaded = re.findall(r'<(?:link|script|img)[^>]* (?:src|href)="([^"]*)"', answer.text)

        assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'")
        assert not re.search(r"<style|\sstyle=|<script(?![^>]* src=)|\son\w+=", answer.text)
        assert loaded
        assert all(re.match(r"/(?!/)", source) for source in loaded)
