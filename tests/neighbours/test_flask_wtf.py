"""Flask-WTF: the callback alone is exempt from CSRF protection."""

import gc
from collections.abc import Callable

import pytest
from flask import Flask, request_started
from flask.testing import FlaskClient
from flask_wtf import CSRFProtect  # type: ignore[import-untyped]  # it has no types

from spayon_flask.domain import signing
from tests.neighbours.shop import Gateway, Parts, csrf_token, make_app, make_parts, mount
from tests.reports import report
from tests.shop import SECRET


def first(app: Flask, parts: Parts) -> None:
    """Set up CSRFProtect before everything else."""
    CSRFProtect(app)
    mount(parts, app)


def between(app: Flask, parts: Parts) -> None:
    """Set up CSRFProtect between init_app and the mounting of the blueprint."""
    parts.db.init_app(app)
    parts.spayon.init_app(app)
    CSRFProtect(app)
    app.register_blueprint(parts.spayon.blueprint, url_prefix="/pay")


def last(app: Flask, parts: Parts) -> None:
    """Set up CSRFProtect after everything else."""
    mount(parts, app)
    CSRFProtect().init_app(app)


def post_callback(client: FlaskClient) -> int:
    """Post a signed callback as Spayon does; return the status code."""
    body = report()
    headers = {"X-Signature": signing.sign(body, SECRET), "Content-Type": "application/json"}
    return client.post("/pay/callback", data=body, headers=headers).status_code


@pytest.mark.parametrize("set_up", [first, between, last])
def test_the_callback_needs_no_csrf_token_whatever_the_order_of_init(
    set_up: Callable[[Flask, Parts], None],
) -> None:
    app, parts = make_app(), make_parts()
    set_up(app, parts)

    with app.app_context():
        parts.db.create_all()

    assert post_callback(app.test_client()) == 200


def test_the_callback_is_exempt_in_every_app_that_mounts_the_blueprint() -> None:
    parts = make_parts()
    codes = []

    for _ in range(3):
        app = make_app()
        last(app, parts)
        codes.append(post_callback(app.test_client()))
        # The next app's CSRFProtect may be born where this one's was.
        del app
        gc.collect()

    assert codes == [200] * 3


def test_after_the_first_request_no_request_pays_for_the_exemption() -> None:
    before = len(request_started.receivers)
    app = make_app(make_parts())
    CSRFProtect(app)
    app.test_client().get("/")

    assert len(request_started.receivers) == before


def test_the_callback_of_a_second_account_is_exempt_too() -> None:
    parts = make_parts()
    second = make_parts(parts.db, name="second", config_prefix="SPAYON_")
    app = make_app(parts)
    second.spayon.init_app(app)
    app.register_blueprint(second.spayon.blueprint, url_prefix="/second")
    CSRFProtect(app)
    body = report("S2")

    answer = app.test_client().post(
        "/second/callback", data=body, headers={"X-Signature": signing.sign(body, SECRET)}
    )

    assert answer.status_code == 200


@pytest.mark.parametrize("set_up", [first, between, last])
def test_the_checkout_form_is_protected_and_carries_its_token(
    set_up: Callable[[Flask, Parts], None], gateway: Gateway
) -> None:
    app, parts = make_app(**gateway.config()), make_parts()
    set_up(app, parts)

    with app.app_context():
        parts.db.create_all()

    client = app.test_client()
    page = client.get("/pay/checkout/A1").text

    assert client.post("/pay/checkout/A1").status_code == 400
    answer = client.post("/pay/checkout/A1", data={"csrf_token": csrf_token(page)})
    assert gateway.session_at(answer).order_id == "A1"


def test_the_shop_s_own_forms_stay_protected() -> None:
    app = make_app(make_parts())
    app.add_url_rule("/basket", "basket", lambda: "", methods=["POST"])
    CSRFProtect(app)
    client = app.test_client()
    post_callback(client)

    assert client.post("/basket").status_code == 400
