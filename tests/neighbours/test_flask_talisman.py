"""Flask-Talisman: HTTPS everywhere, and a strict Content-Security-Policy."""

import re
from html.parser import HTMLParser

from flask import Flask
from flask_talisman import Talisman  # type: ignore[import-untyped]  # it has no types
from werkzeug.middleware.proxy_fix import ProxyFix

from spayon_flask.domain import signing
from tests.neighbours.shop import Gateway, Parts, make_app, make_parts
from tests.reports import report
from tests.shop import SECRET

SHOP = "https://shop.test"


class Sources(HTMLParser):
    """Collect what a page loads, and what of it stands in the page itself."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.inline: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)

        if tag == "script" and "src" not in given:
            self.inline.append("script")

        if tag == "style" or "style" in given:
            self.inline.append(f"style of {tag}")

        self.inline += [name for name in given if name.startswith("on")]
        source = given.get("src") or (given.get("href") if tag == "link" else None)
        self.loaded += [source] if source else []


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
    body = report()
    headers = {"X-Signature": signing.sign(body, SECRET), "X-Forwarded-Proto": "https"}

    assert app.test_client().post("/pay/callback", data=body, headers=headers).status_code == 200


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
        page = Sources(answer.text)

        assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'")
        assert page.inline == []
        assert page.loaded
        assert all(re.match(r"/(?!/)", source) for source in page.loaded)
