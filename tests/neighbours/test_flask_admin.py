"""Flask-Admin: the ready views show everything, change nothing, and let nobody in unasked."""

from __future__ import annotations

from datetime import datetime
from datetime import timedelta
from datetime import timezone
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_admin import Admin  # type: ignore[import-untyped]  # it has no types
from flask_babel import Babel  # type: ignore[import-untyped]  # it has no types
from werkzeug.test import TestResponse

from spayon_flask.admin import add_views
from tests.neighbours.shop import Gateway
from tests.neighbours.shop import Parts
from tests.neighbours.shop import csrf_token
from tests.neighbours.shop import make_app
from tests.neighbours.shop import make_parts


class Door:
    """Whether the present user is one of the staff."""

    open = True
    may_settle = True


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
    # Flask-Admin asks for it if it is installed.
    Babel(app)
    add_views(
        Admin(app),
        parts.spayon,
        accessible=lambda: door.open,
        may_settle=lambda: door.may_settle,
        who=lambda: "Ani",
    )
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


def test_a_body_that_was_removed_says_so(app: Flask, client: FlaskClient, parts: Parts) -> None:
    with app.app_context():
        state = parts.spayon.state
        late = state.clock() + timedelta(days=91)
        assert state.storage.pruning.trim_bodies(before=late, after_id=0, limit=9, now=late)

    page = client.get("/admin/spayon_callbacks/details/?id=1").text

    assert "The exact text was removed on purpose, on" in page
    assert "productName" not in page


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
        for path in ("", "details/?id=1", "export/csv/", "act/?id=1"):
            answer = client.get(f"/admin/{page}/{path}")
            assert answer.status_code in (403, 404)
            assert "A1" not in answer.text


def add_payment(app: Flask, parts: Parts, account: str, session_id: str, **values: Any) -> int:
    """Write a payment as if it were of *account*."""
    now = datetime.now(timezone.utc)
    fields = {
        "order_id": f"order-of-{account}",
        "reference": f"reference-{session_id}",
        "status": "review",
        "review": "price_differs",
        "price": Decimal(1000),
        "currency": "AMD",
        "product_name": "Tea",
        "created_at": now,
        "updated_at": now,
    }

    with app.app_context():
        payment: Any = parts.spayon.Payment()

        for name, value in (
            {"account": account, "session_id": session_id} | fields | values
        ).items():
            setattr(payment, name, value)

        parts.db.session.add(payment)
        parts.db.session.commit()
        return int(payment.id)


def payment_of(app: Flask, parts: Parts, payment_id: int) -> Any:
    with app.app_context():
        return parts.db.session.get(parts.spayon.Payment, payment_id)


def test_the_rows_of_another_account_are_neither_shown_nor_touched(
    app: Flask, parts: Parts, client: FlaskClient
) -> None:
    other = add_payment(app, parts, "museum", "S-museum")

    assert "museum" not in client.get("/admin/spayon_payments/").text
    assert "There are no items" in client.get("/admin/spayon_payments/?search=museum").text
    assert client.get(f"/admin/spayon_payments/act/?id={other}").status_code == 404
    assert "museum" not in client.get(f"/admin/spayon_payments/details/?id={other}").text


def act(client: FlaskClient, payment_id: int, view: str = "payments", **data: str) -> TestResponse:
    """Do something about a row, as the page of the view would."""
    url = f"/admin/spayon_{view}/act/?id={payment_id}"
    return client.post(url, data={"csrf_token": csrf_token(client.get(url).text)} | data)


def test_a_payment_under_review_is_settled_with_name_and_reason(
    app: Flask, parts: Parts, client: FlaskClient
) -> None:
    mine = add_payment(app, parts, "spayon", "S-mine")

    assert act(client, mine, what="refuse", reason=" ").status_code == 200
    assert payment_of(app, parts, mine).status == "review"
    assert act(client, mine, what="refuse", reason="given back").status_code == 303
    payment = payment_of(app, parts, mine)
    assert (payment.status, payment.reviewed_by) == ("failed", "Ani")
    assert payment.reviewed_because == "given back"


def test_a_reason_that_is_refused_stands_in_the_form_again(
    app: Flask, parts: Parts, client: FlaskClient
) -> None:
    mine = add_payment(app, parts, "spayon", "S-mine")
    reason = "given back " * 100

    page = act(client, mine, what="refuse", reason=reason).text

    assert "Please shorten this to 1000 letters." in page
    assert page.count(f'value="{reason}"') == 1
    assert f'id="reason-refuse" name="reason" value="{reason}"' in page


def test_who_was_too_slow_reads_so_and_keeps_what_was_typed(
    app: Flask, parts: Parts, client: FlaskClient
) -> None:
    mine = add_payment(app, parts, "spayon", "S-mine")
    url = f"/admin/spayon_payments/act/?id={mine}"
    data = {"csrf_token": csrf_token(client.get(url).text), "what": "refuse"}
    client.post(url, data=data | {"reason": "given back"})

    answer = client.post(url, data=data | {"reason": "ticket 7 <b>"})

    assert answer.status_code == 200
    assert "Nothing was changed: it was done already" in answer.text
    assert "ticket 7 &lt;b&gt;" in answer.text
    assert payment_of(app, parts, mine).reviewed_because == "given back"


def test_a_decision_that_fails_keeps_what_was_typed(
    app: Flask, parts: Parts, client: FlaskClient
) -> None:
    mine = add_payment(app, parts, "spayon", "S-mine")

    @parts.spayon.on_failed
    def fail(_: object) -> None:
        raise RuntimeError("the shop has a bug")

    answer = act(client, mine, what="refuse", reason="given back")

    assert answer.status_code == 200
    assert "That is not possible" in answer.text
    assert 'value="given back"' in answer.text
    assert payment_of(app, parts, mine).status == "review"


def test_a_refund_is_noted_on_a_paid_payment(app: Flask, parts: Parts, client: FlaskClient) -> None:
    assert act(client, 1, what="refund", reason="broken").status_code == 303
    assert payment_of(app, parts, 1).refunded_because == "broken"


def test_spayon_is_asked_and_says_what_it_knows(client: FlaskClient) -> None:
    assert act(client, 1, what="ask").status_code == 303
    assert "Spayon was asked and says: paid." in client.get("/admin/spayon_payments/act/?id=1").text


def test_a_report_is_handed_over_again(parts: Parts, client: FlaskClient) -> None:
    given: list[int] = []
    parts.spayon.dispatcher(given.append)

    act(client, 1, "callbacks", what="hand_over")

    assert given == [1]


def test_nobody_acts_without_a_token_or_the_right(
    app: Flask, parts: Parts, client: FlaskClient, door: Door
) -> None:
    mine = add_payment(app, parts, "spayon", "S-mine")
    url = f"/admin/spayon_payments/act/?id={mine}"
    data = {"what": "refuse", "reason": "x"}
    token = csrf_token(client.get(url).text)

    assert client.post(url, data=data).status_code == 403
    door.may_settle = False
    assert client.post(url, data=data | {"csrf_token": token}).status_code == 403
    assert "<form" not in client.get(url).text.partition("<h1>")[2]
    assert payment_of(app, parts, mine).status == "review"
