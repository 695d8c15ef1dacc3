"""Flask-Admin: the ready views show everything, change nothing, and let nobody in unasked."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_admin import Admin  # type: ignore[import-untyped]  # it has no types
from flask_babel import Babel  # type: ignore[import-untyped]  # it has no types

from spayon_flask.admin import add_views
from tests.neighbours.shop import Gateway
from tests.neighbours.shop import Parts
from tests.neighbours.shop import make_app
from tests.neighbours.shop import make_parts


class Door:
    """Whether the present user is one of the staff."""

    open = True


@pytest.fixture
def door() -> Door:
    """A door that stands open."""
    return Door()


@pytest.fixture
def parts() -> Parts:
    """The parts of a shop."""
    return make_parts()


@pytest.fixture
def app(gateway: Gateway, parts: Parts, door: Door) -> Flask:
    """A shop with one payment, and an admin."""
    app = make_app(parts, **gateway.config())
    # Flask-Admin asks for it where it is installed.
    Babel(app)
    add_views(Admin(app), parts.spayon, accessible=lambda: door.open)
    gateway.shop = app
    gateway.pay(gateway.session_at(app.test_client().post("/pay/checkout/A1")).id)
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser."""
    return app.test_client()


def test_the_payments_are_listed(client: FlaskClient) -> None:
    page = client.get("/admin/spayon_payments/").text

    assert "A1" in page
    assert "paid" in page


def test_a_payment_is_found_by_its_order(client: FlaskClient) -> None:
    assert "A1" in client.get("/admin/spayon_payments/?search=A1").text
    assert "There are no items" in client.get("/admin/spayon_payments/?search=no-such-order").text


def test_a_payment_s_details_are_shown_without_the_link_to_pay(client: FlaskClient) -> None:
    page = client.get("/admin/spayon_payments/details/?id=1").text

    assert "Tea" in page
    assert "http://127.0.0.1" not in page


def test_the_callbacks_are_listed_with_their_verdicts(client: FlaskClient) -> None:
    assert "applied" in client.get("/admin/spayon_callbacks/").text


def test_a_callback_s_body_is_shown_as_text(client: FlaskClient) -> None:
    assert "productName" in client.get("/admin/spayon_callbacks/details/?id=1").text


@pytest.mark.parametrize("page", ["spayon_payments", "spayon_callbacks"])
@pytest.mark.parametrize("action", ["new", "edit", "delete"])
def test_nothing_can_be_made_changed_or_removed(
    client: FlaskClient, app: Flask, parts: Parts, page: str, action: str
) -> None:
    client.post(f"/admin/{page}/{action}/?id=1", data={"id": "1", "status": "failed"})

    with app.app_context():
        (payment,) = parts.db.session.scalars(parts.db.select(parts.spayon.Payment))
        (callback,) = parts.db.session.scalars(parts.db.select(parts.spayon.Callback))
        assert (payment.status, callback.verdict) == ("paid", "applied")


def test_who_is_not_admitted_sees_nothing(client: FlaskClient, door: Door) -> None:
    door.open = False

    for page in ("spayon_payments", "spayon_callbacks"):
        for path in ("", "details/?id=1", "export/csv/"):
            answer = client.get(f"/admin/{page}/{path}")
            assert answer.status_code in (403, 404)
            assert "A1" not in answer.text
