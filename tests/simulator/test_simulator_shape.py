"""The gateway in what its documentation does not say: each switch does what it says."""

import base64
import hmac
import json
from dataclasses import asdict
from typing import Any
from uuid import uuid4

import pytest

from spayon_flask.simulator import PaymentSession, Shape, Simulator
from spayon_flask.simulator.shape import SWITCHES
from tests.simulator.bare import Bare
from tests.simulator.scene import Scene


def test_every_field_has_its_switch_and_its_default_is_allowed() -> None:
    """What the page shows is what there is."""
    fields = asdict(Shape())

    assert list(SWITCHES) == list(fields)
    assert {name: SWITCHES[name].read(name, value) for name, value in fields.items()} == fields


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("creation_code", 204),
        ("creation_code", True),
        ("attempts", 0),
        ("attempts", True),
        ("spacing", "soon"),
        ("spacing", float("nan")),
        ("signature_header", ""),
        ("signature_header", "X Signature"),
        ("return_parameter", "a&b"),
        ("required", ["moon"]),
        ("required", 7),
        ("weather", "fine"),
    ],
)
def test_a_senseless_value_is_refused(name: str, value: Any) -> None:
    """And nothing is changed."""
    shape = Shape()

    with pytest.raises(ValueError, match=name):
        shape.change(price="padded", **{name: value})

    assert shape.differences() == {}


def test_tokens_take_their_form(sim: Simulator, stranger: Bare) -> None:
    """Code, lifetime, type of expires_in, the answer to a wrong secret; an old one may die."""
    sim.shape.change(token_code=201, token_lifetime=60, expires_in="text", wrong_secret_code=403)
    answer = stranger.log_in()
    assert (answer.code, answer.json["expires_in"]) == (201, "60")
    assert stranger.log_in(client_secret="no").code == 403

    sim.clock.step(60)
    assert stranger.create().code == 401

    sim.shape.change(expires_in="missing")
    assert "expires_in" not in stranger.log_in().json

    for old_tokens, code in (("live on", 404), ("die", 401)):
        sim.shape.change(old_tokens=old_tokens)
        old = stranger.token
        stranger.log_in()
        answer = stranger.get("/api/product/session/x", Authorization=f"Bearer {old}")
        assert answer.code == code


def test_creations_and_questions_can_be_refused(sim: Simulator, api: Bare) -> None:
    """What is required and lacks, an order id of the second time, an unknown session."""
    assert [api.create(order_id="A").code for _ in range(2)] == [200, 200]

    sim.shape.change(used_order="refused", unknown_session_code=400)
    assert [api.create(order_id=order).code for order in ("A", "B", "B")] == [400, 200, 400]
    assert (api.status(str(uuid4())).code, api.status("x").code) == (400, 404)

    sim.shape.change(required=["email", "return_url"])
    answer = api.create(email="a@example.com")
    assert (answer.code, answer.json["error"]) == (400, "return_url missing")
    assert api.create(email="a@example.com", return_url="https://a.example").code == 200


def test_a_session_lives_as_long_as_chosen(sim: Simulator, api: Bare) -> None:
    """One that was created before keeps its own life."""
    first = sim.sessions[api.create().json["session_id"]]
    sim.shape.change(session_lifetime=60)
    second = sim.sessions[api.create().json["session_id"]]
    sim.clock.step(60)

    assert (first.status, second.status) == ("pending", "expired")


@pytest.mark.parametrize(
    ("parameter", "query"), [("sid", "lang=hy&sid={}"), ("", "lang=hy")], ids=["sid", "none"]
)
def test_the_ways_back_have_their_parameter(scene: Scene, parameter: str, query: str) -> None:
    """Or none at all, as the cancel URL has by default."""
    page = f"/pay/{scene.session.id}"
    assert "/pay/cancel/abc?" not in scene.api.get(page).text

    scene.sim.shape.change(return_parameter=parameter, cancel_parameter="id")
    assert f"/pay/cancel/abc?id={scene.session.id}" in scene.api.get(page).text
    scene.pay()
    answer = scene.api.ask("POST", page, headers={"Origin": scene.sim.url})
    assert answer.headers["Location"].partition("?")[2] == query.format(scene.session.id)


def test_a_session_can_fail_at_the_first_decline(scene: Scene) -> None:
    """By default it stays payable."""
    scene.sim.shape.change(fails="at the first decline")
    scene.sim.attempt(scene.session.id, scene.sim.card("05"))
    scene.sim.settle()

    assert scene.session.status == "failed"
    assert len(scene.shop.received) == 1


def test_a_report_takes_its_form(sim: Simulator, api: Bare, session: PaymentSession) -> None:
    """Type of the price, case of the currency."""
    sim.shape.change(price_type="number", currency="lower")
    assert api.status(session.id).json["price"] == 1000
    assert api.status(session.id).json["currency"] == "amd"

    sim.shape.change(price="padded")
    assert b'"price":1000.0,' in api.status(session.id).body


@pytest.mark.parametrize("writing", ["hex", "upper", "base64"])
def test_a_callback_is_signed_as_chosen(scene: Scene, writing: str) -> None:
    """Under the name of the header that was chosen."""
    scene.sim.shape.change(signature=writing, signature_header="X-Spayon-Hmac")
    scene.pay()
    (received,) = scene.shop.received
    digest = hmac.digest(scene.sim.callback_secret.encode(), received.body, "sha256")
    written = {"hex": digest.hex(), "upper": digest.hex().upper()}

    expected = written.get(writing) or base64.b64encode(digest).decode()
    assert received.headers["X-Spayon-Hmac"] == expected
    assert "X-Signature" not in received.headers


@pytest.mark.parametrize(
    ("shape", "code", "seconds", "deliveries"),
    [
        ({"attempts": 5, "spacing": 10}, 500, 39, 4),
        ({"attempts": 5, "spacing": 10}, 500, 1039, 5),
        ({"delivered_by": "any 2xx"}, 204, 900, 1),
    ],
)
def test_redelivery_has_its_number_and_spacing_and_end(
    scene: Scene, shape: dict[str, Any], code: int, seconds: int, deliveries: int
) -> None:
    """What is documented may turn out otherwise."""
    scene.shop.code = code
    scene.sim.shape.change(**shape)
    scene.pay()
    scene.sim.clock.step(seconds)

    assert len(scene.shop.received) == deliveries


def test_the_shape_is_chosen_by_a_form(sim: Simulator, api: Bare) -> None:
    """In a form everything is text, and what is empty is meant."""
    sim.shape.change(required=["email"])
    body = "creation_code=201&required=&return_parameter=&spacing=7.5&attempts=2"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    api.ask("POST", "/_simulator/shape", body, headers)

    assert sim.shape.differences() == {
        "creation_code": 201,
        "return_parameter": "",
        "attempts": 2,
        "spacing": 7.5,
    }
    assert json.loads(api.create().body)["session_id"]
