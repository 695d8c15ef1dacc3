"""Flask-Admin: the view that the docs print shows the payments and changes nothing."""

import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_admin import Admin  # type: ignore[import-untyped]  # it has no types
from flask_babel import Babel  # type: ignore[import-untyped]  # it has no types

from tests.neighbours.shop import Gateway, make_app, make_parts

PAGE = Path(__file__).parents[2] / "docs" / "neighbours.md"


@pytest.fixture
def app(gateway: Gateway) -> Flask:
    """A shop with one payment, the desk, and an admin with the lines of the page."""
    parts = make_parts()
    app = make_app(parts, IS_STAFF=True, **gateway.config())

    def is_staff() -> bool:
        return bool(app.config["IS_STAFF"])

    section = PAGE.read_text().partition("## Flask-Admin")[2]
    printed = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert printed is not None
    shop: dict[str, Any] = {"spayon": parts.spayon, "db": parts.db, "is_staff": is_staff}
    exec(printed[1], shop)

    app.register_blueprint(parts.spayon.staff(allowed=is_staff), url_prefix="/staff")
    # Flask-Admin asks for it if it is installed.
    Babel(app)
    shop["add_payments"](Admin(app))
    gateway.shop = app
    gateway.pay(gateway.session_at(app.test_client().post("/pay/checkout/A1")).id)
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser."""
    return app.test_client()


def test_the_payments_are_listed_found_and_shown_without_the_link_to_pay(
    client: FlaskClient,
) -> None:
    page = client.get("/admin/payments/").text

    assert "A1" in page
    assert "paid" in page
    assert "A1" in client.get("/admin/payments/?search=A1").text
    assert "There are no items" in client.get("/admin/payments/?search=no-such-order").text

    details = client.get("/admin/payments/details/?id=1").text
    assert "Tea" in details
    assert "http://127.0.0.1" not in details

    link = re.search(r'href="([^"]+)"[^>]*>\s*Payments desk', page)
    assert link is not None
    assert "A1" in client.get(f"{link[1]}list").text


def test_nothing_can_be_made_changed_or_removed(client: FlaskClient) -> None:
    for action in ("new", "edit", "delete"):
        client.post(f"/admin/payments/{action}/?id=1", data={"id": "1", "status": "failed"})

    page = client.get("/admin/payments/details/?id=1").text
    assert "paid" in page
    assert "failed" not in page


def test_who_is_not_of_the_staff_sees_nothing(client: FlaskClient, app: Flask) -> None:
    app.config["IS_STAFF"] = False

    for path in ("", "details/?id=1", "export/csv/"):
        answer = client.get(f"/admin/payments/{path}")
        assert answer.status_code in (403, 404)
        assert "A1" not in answer.text
