"""Flask-WTF: the callback alone is exempt from CSRF protection."""

import gc

from flask import request_started
from flask_wtf import CSRFProtect  # type: ignore[import-untyped]  # it has no types

from spayon_flask.testing import post_callback
from tests.neighbours.conftest import Beside
from tests.neighbours.shop import Gateway, csrf_token, make_app, make_parts


def test_the_callback_needs_no_csrf_token_and_the_checkout_form_carries_its_own(
    beside: Beside, gateway: Gateway
) -> None:
    app, _ = beside(CSRFProtect)
    client = app.test_client()
    assert post_callback(client, "S1").status_code == 200

    page = client.get("/pay/checkout/A1").text
    assert client.post("/pay/checkout/A1").status_code == 400
    answer = client.post("/pay/checkout/A1", data={"csrf_token": csrf_token(page)})
    assert gateway.session_at(answer).order_id == "A1"


def test_the_callback_is_exempt_in_every_app_that_mounts_the_blueprint() -> None:
    parts = make_parts()
    codes = []

    for _ in range(3):
        app = make_app(parts)
        CSRFProtect(app)
        codes.append(post_callback(app.test_client(), "S1").status_code)
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

    assert post_callback(app.test_client(), "S2", name="second").status_code == 200


def test_the_shop_s_own_forms_stay_protected() -> None:
    app = make_app(make_parts())
    app.add_url_rule("/basket", "basket", lambda: "", methods=["POST"])
    CSRFProtect(app)
    client = app.test_client()
    post_callback(client, "S1")

    assert client.post("/basket").status_code == 400
