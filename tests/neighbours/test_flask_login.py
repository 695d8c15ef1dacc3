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
from tests.neighbours.shop import Gateway, Parts, make_app, make_parts

# Flask-Login's own.
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")


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


@pytest.mark.parametrize("protect", [by_loader, by_endpoint])
def test_a_stranger_is_sent_to_the_login_and_who_is_logged_in_pays(
    protect: Callable[[Flask, Parts, LoginManager], None], gateway: Gateway
) -> None:
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
    protect(app, parts, logins)
    client = app.test_client()

    for method in ("GET", "POST"):
        answer = client.open("/pay/checkout/A1", method=method)
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith("/login")

    client.post("/login/ani")
    session = gateway.session_at(client.post("/pay/checkout/A1"))
    # Delivered by a client without the cookie.
    gateway.pay(session.id)
    assert parts.paid == ["A1"]
