"""The page "Payments for a shop that you have", followed to the letter in a shop that exists."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, redirect, session
from flask.typing import ResponseReturnValue
from flask_login import (  # type: ignore[import-untyped]  # it has no types
    LoginManager,
    UserMixin,
    login_user,
)
from flask_sqlalchemy import SQLAlchemy

from spayon_flask.simulator import Simulator
from spayon_flask.testing import connect
from tests.shop import CONFIG
from tests.test_docs import EXISTING, run

BASE = (
    "<!doctype html><title>{% block title %}Honey{% endblock %}</title>"
    "{% block head %}{% endblock %}"
    "<nav>{{ menu | join(' | ') }}</nav>{% block main %}{% endblock %}"
)


@pytest.fixture
def names(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """The names of a shop with a basket, a login and float prices, after all steps of the page."""
    templates = tmp_path / "templates" / "spayon"
    templates.mkdir(parents=True)
    (tmp_path / "templates" / "base.html").write_text(BASE)
    (templates / "base.html").write_text(
        re.findall(r"```jinja\n(.*?)```", EXISTING.read_text(), re.DOTALL)[0]
    )
    app = Flask("honey", root_path=str(tmp_path))
    app.config.update(CONFIG, SECRET_KEY="test", SQLALCHEMY_DATABASE_URI="sqlite://")
    app.config["SPAYON_PUBLIC_URL"] = "http://localhost"
    db = SQLAlchemy(app)
    logins = LoginManager(app)

    class User(UserMixin, db.Model):  # type: ignore[name-defined,misc]  # without types
        id = db.Column(db.Integer, primary_key=True)
        email = db.Column(db.String(80))
        is_admin = db.Column(db.Boolean, default=False)

    class Product(db.Model):  # type: ignore[name-defined,misc]  # as above
        id = db.Column(db.Integer, primary_key=True)
        name = db.Column(db.String(80))
        price = db.Column(db.Float)

    @logins.user_loader  # type: ignore[untyped-decorator]  # as above
    def load_user(user_id: str) -> object:
        return db.session.get(User, int(user_id))

    @app.get("/")
    def catalogue() -> str:
        return "honey"

    @app.post("/login/<int:user_id>")
    def log_in(user_id: int) -> ResponseReturnValue:
        login_user(db.session.get(User, user_id))
        return redirect("/")

    @app.post("/basket/<int:product_id>/<int:quantity>")
    def put(product_id: int, quantity: int) -> str:
        session["basket"] = {**session.get("basket", {}), str(product_id): quantity}
        return "put"

    found = {"app": app, "db": db, "Product": Product, "User": User, "__name__": "honey"}
    run(EXISTING, found)

    with app.app_context():
        db.create_all()
        db.session.add_all(
            [Product(id=1, name="Honey", price=196.95), Product(id=2, name="Tea", price=19.5)]
        )
        db.session.add(User(id=1, email="ani@honey.example", is_admin=True))
        db.session.commit()

    yield found

    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def simulator(names: dict[str, Any]) -> Simulator:
    """Spayon, in process."""
    return connect(names["app"])


def begin(client: Any) -> str:
    """Press "pay" in the basket, and return the path of the checkout page."""
    answer = client.post("/basket/pay")
    assert answer.status_code == 302
    return str(answer.location)


def states(names: dict[str, Any]) -> list[str]:
    """Return the states of all orders, oldest first."""
    with names["app"].app_context():
        rows = names["db"].session.scalars(names["db"].select(names["Purchase"]).order_by("id"))
        return [row.state for row in rows]


def test_a_guest_pays_a_basket_with_float_prices_exactly(
    names: dict[str, Any], simulator: Simulator
) -> None:
    client = names["app"].test_client()
    client.post("/basket/1/3")
    client.post("/basket/2/1")

    path = begin(client)
    session_id = client.post(path).location.rsplit("/", 1)[1]
    simulator.pay(session_id)

    assert str(simulator.sessions[session_id].creation.price) == "610.35"
    assert states(names) == ["paid"]
    assert "This order is paid" in client.get(path, follow_redirects=True).text


def test_the_same_basket_is_the_same_order_and_another_basket_closes_it(
    names: dict[str, Any], simulator: Simulator
) -> None:
    client = names["app"].test_client()
    client.post("/basket/1/1")
    first = begin(client)
    assert begin(client) == first

    client.post("/basket/2/1")
    second = begin(client)

    assert second != first
    assert states(names) == ["replaced", "open"]
    assert client.post(second).status_code == 303


def test_a_basket_that_was_paid_is_empty_though_the_payer_never_came_back(
    names: dict[str, Any], simulator: Simulator
) -> None:
    client = names["app"].test_client()
    client.post("/basket/1/1")
    simulator.pay(client.post(begin(client)).location.rsplit("/", 1)[1])

    assert begin(client) == "/"
    assert states(names) == ["paid"]


def test_an_order_of_somebody_else_is_a_404(names: dict[str, Any]) -> None:
    client, stranger = names["app"].test_client(), names["app"].test_client()
    client.post("/basket/1/1")
    path = begin(client)

    assert client.get(path).status_code == 200
    assert stranger.get(path).status_code == 404


def test_the_pages_stand_in_the_shop_s_own_frame_with_its_own_menu(names: dict[str, Any]) -> None:
    client = names["app"].test_client()
    client.post("/basket/1/1")

    page = client.get(begin(client)).text

    assert "<nav>Tea | Honey</nav>" in page
    assert page.count("<title>") == 1
    assert "196.95" in page


def test_the_desk_is_open_to_the_shop_s_admins_alone(names: dict[str, Any]) -> None:
    client = names["app"].test_client()
    assert client.get("/admin/payments/").status_code == 404

    client.post("/login/1")

    assert client.get("/admin/payments/").status_code == 200
