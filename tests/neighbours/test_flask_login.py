"""Flask-Login: a checkout behind login, and a callback that is not."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from flask import Flask, abort, request
from flask.typing import ResponseReturnValue
from flask_login import (  # type: ignore[import-untyped]  # it has no types
    LoginManager,
    UserMixin,
    current_user,
    login_user,
)

from spayon_flask import Order
from spayon_flask.domain import signing
from tests.neighbours.shop import Gateway, Parts, make_app, make_parts
from tests.reports import report
from tests.shop import SECRET

# Flask-Login's own.
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")

OWNERS = {"A1": "ani", "B1": "bob"}


class User(UserMixin):  # type: ignore[misc]  # untyped
    """Someone with a name."""

    def __init__(self, name: str) -> None:
        self.id = name


def by_loader(app: Flask, parts: Parts, logins: LoginManager) -> None:
    """Ask for a login where the order is loaded."""

    @parts.spayon.order_loader
    def load(order_id: str) -> Order | None:
        if not current_user.is_authenticated:
            abort(logins.unauthorized())

        if OWNERS.get(order_id) != current_user.id:
            abort(403)

        return Order(order_id=order_id, product_name="Tea", price=Decimal(1000), currency="AMD")


def by_endpoint(app: Flask, parts: Parts, logins: LoginManager) -> None:
    """Ask for a login before every request but the callback."""

    @app.before_request
    def ask() -> ResponseReturnValue | None:
        open_to_all = ("log_in", "login_page", "spayon.callback", "spayon.static")

        if current_user.is_authenticated or request.endpoint in open_to_all:
            return None

        answer: ResponseReturnValue = logins.unauthorized()
        return answer


@pytest.fixture(params=[by_loader, by_endpoint])
def shop(request: pytest.FixtureRequest, gateway: Gateway) -> tuple[Flask, Parts]:
    """A shop whose customers log in at /login."""
    parts = make_parts()
    app = make_app(parts, **gateway.config())
    logins = LoginManager(app)
    logins.login_view = "login_page"
    logins.user_loader(User)

    @app.post("/login/<name>")
    def log_in(name: str) -> str:
        login_user(User(name))
        return name

    app.add_url_rule("/login", "login_page", lambda: "name?")
    gateway.shop = app
    set_up: Callable[[Flask, Parts, LoginManager], None] = request.param
    set_up(app, parts, logins)
    return app, parts


def test_a_stranger_is_sent_to_the_login(shop: tuple[Flask, Parts]) -> None:
    app, _ = shop

    for method in ("GET", "POST"):
        answer = app.test_client().open("/pay/checkout/A1", method=method)
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith("/login")


def test_who_is_logged_in_pays(shop: tuple[Flask, Parts], gateway: Gateway) -> None:
    app, parts = shop
    client = app.test_client()
    client.post("/login/ani")
    session = gateway.session_at(client.post("/pay/checkout/A1"))

    # Delivered by a client without the cookie.
    gateway.pay(session.id)

    assert parts.paid == ["A1"]


def test_a_callback_needs_no_login(shop: tuple[Flask, Parts]) -> None:
    app, _ = shop
    body = report()
    headers = {"X-Signature": signing.sign(body, SECRET)}

    assert app.test_client().post("/pay/callback", data=body, headers=headers).status_code == 200


def test_an_order_of_somebody_else_is_refused_by_the_loader(gateway: Gateway) -> None:
    parts = make_parts()
    app = make_app(parts, **gateway.config())
    logins = LoginManager(app)
    logins.user_loader(User)
    by_loader(app, parts, logins)

    @app.post("/login/<name>")
    def log_in(name: str) -> str:
        login_user(User(name))
        return name

    client = app.test_client()
    client.post("/login/ani")

    assert client.get("/pay/checkout/B1").status_code == 403
    assert client.post("/pay/checkout/B1").status_code == 403
