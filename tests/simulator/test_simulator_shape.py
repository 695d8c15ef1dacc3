"""The gateway in what its documentation does not say: each switch does what it says."""

import base64
import hmac
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from spayon_flask.simulator import PaymentSession
from spayon_flask.simulator import Shape
from spayon_flask.simulator import Simulator
from spayon_flask.simulator.shape import SWITCHES

from .bare import Bare
from .shop import Shop


def test_every_field_has_its_switch_and_its_default_is_allowed() -> None:
    """What the page shows is what there is."""
    fields = asdict(Shape())

    assert list(SWITCHES) == list(fields)
    assert {name: SWITCHES[name].read(name, value) for name, value in fields.items()} == fields


def test_the_documentation_lists_every_switch_with_its_default() -> None:
    """In the order of the page."""
    text = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text(encoding="utf-8")
    table = text.partition("## How the gateway behaves")[2]
    cells = [line.split(" | ") for line in table.splitlines() if line.startswith("| `")]
    listed = {row[0].strip("| `"): row[1].strip("`") for row in cells}
    defaults = {name: str(value or "none") for name, value in asdict(Shape()).items()}

    assert listed == {**defaults, "required": "none", "refused": "none"}


def test_a_simulator_can_be_started_with_its_shape() -> None:
    """As a file of observations would have it."""
    sim = Simulator(shape={"creation_code": 201, "attempts": 5})

    assert sim.shape.differences() == {"creation_code": 201, "attempts": 5}


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


def test_a_token_answer_takes_its_form(sim: Simulator, stranger: Bare) -> None:
    """Code, lifetime and the type of expires_in."""
    sim.shape.change(token_code=201, token_lifetime=60, expires_in="text")
    answer = stranger.log_in()
    assert (answer.code, answer.json["expires_in"]) == (201, "60")

    sim.clock.step(60)
    assert stranger.create().code == 401

    sim.shape.change(expires_in="missing")
    assert "expires_in" not in stranger.log_in().json


def test_an_old_token_can_die_with_the_purchase_of_a_new_one(sim: Simulator, api: Bare) -> None:
    """By default the old one lives on."""
    old = api.token
    api.log_in()
    assert api.get("/api/product/session/x", Authorization=f"Bearer {old}").code == 404

    sim.shape.change(old_tokens="die")
    old = api.token
    api.log_in()
    assert api.get("/api/product/session/x", Authorization=f"Bearer {old}").code == 401


def test_wrong_credentials_get_their_code(sim: Simulator, stranger: Bare) -> None:
    """401 is the documented one."""
    sim.shape.change(wrong_secret_code=403)

    assert stranger.log_in(client_secret="no").code == 403


def test_a_creation_can_lack_what_is_required(sim: Simulator, api: Bare) -> None:
    """The answer names the field."""
    sim.shape.change(required=["email", "return_url"])
    answer = api.create(email="a@example.com")

    assert answer.code == 400
    assert answer.json["error"] == "return_url missing"
    assert api.create(email="a@example.com", return_url="https://a.example").code == 200


def test_an_order_id_can_be_refused_the_second_time(sim: Simulator, api: Bare) -> None:
    """By default it is accepted."""
    assert [api.create(order_id="A").code for _ in range(2)] == [200, 200]

    sim.shape.change(used_order="refused")
    assert [api.create(order_id=order).code for order in ("A", "B", "B")] == [400, 200, 400]


def test_a_session_lives_as_long_as_chosen(sim: Simulator, api: Bare) -> None:
    """One that was created before keeps its own life."""
    first = sim.sessions[api.create().json["session_id"]]
    sim.shape.change(session_lifetime=60)
    second = sim.sessions[api.create().json["session_id"]]
    sim.clock.step(60)

    assert (first.status, second.status) == ("pending", "expired")


def test_an_unknown_session_gets_its_code(sim: Simulator, api: Bare) -> None:
    """404 is the documented one."""
    sim.shape.change(unknown_session_code=400)

    assert api.status(str(uuid4())).code == 400
    assert api.status("x").code == 404


@pytest.mark.parametrize(
    ("parameter", "query"), [("sid", "lang=hy&sid={}"), ("", "lang=hy")], ids=["sid", "none"]
)
def test_the_way_back_has_its_parameter(
    sim: Simulator, api: Bare, session: PaymentSession, parameter: str, query: str
) -> None:
    """Or none at all."""
    sim.shape.change(return_parameter=parameter)
    sim.pay(session.id)
    answer = api.ask("POST", f"/pay/{session.id}", headers={"Origin": sim.url})

    assert answer.headers["Location"].partition("?")[2] == query.format(session.id)


def test_the_cancel_url_can_have_a_parameter(
    sim: Simulator, api: Bare, session: PaymentSession
) -> None:
    """By default it has none."""
    page = f"/pay/{session.id}"
    assert "/pay/cancel/abc" in api.get(page).text
    assert "/pay/cancel/abc?" not in api.get(page).text

    sim.shape.change(cancel_parameter="session_id")
    assert f"/pay/cancel/abc?session_id={session.id}" in api.get(page).text


def test_a_session_can_fail_at_the_first_decline(
    sim: Simulator, shop: Shop, session: PaymentSession
) -> None:
    """By default it stays payable."""
    sim.shape.change(fails="at the first decline")
    sim.attempt(session.id, sim.card("05"))
    sim.settle()

    assert session.status == "failed"
    assert len(shop.received) == 1


def test_a_report_takes_its_form(sim: Simulator, api: Bare, session: PaymentSession) -> None:
    """Type of the price, case of the currency."""
    sim.shape.change(price_type="number", currency="lower")
    assert api.status(session.id).json["price"] == 1000
    assert api.status(session.id).json["currency"] == "amd"

    sim.shape.change(price="padded")
    assert b'"price":1000.0,' in api.status(session.id).body


@pytest.mark.parametrize("writing", ["hex", "upper", "base64"])
def test_a_callback_is_signed_as_chosen(
    sim: Simulator, shop: Shop, session: PaymentSession, writing: str
) -> None:
    """Under the name of the header that was chosen."""
    sim.shape.change(signature=writing, signature_header="X-Spayon-Hmac")
    sim.pay(session.id)
    (received,) = shop.received
    digest = hmac.digest(sim.callback_secret.encode(), received.body, "sha256")
    written = {"hex": digest.hex(), "upper": digest.hex().upper()}

    expected = written.get(writing) or base64.b64encode(digest).decode()
    assert received.headers["X-Spayon-Hmac"] == expected
    assert "X-Signature" not in received.headers


def test_redelivery_has_its_number_and_spacing(
    sim: Simulator, shop: Shop, session: PaymentSession
) -> None:
    """Of what is documented both may turn out otherwise."""
    shop.code = 500
    sim.shape.change(attempts=5, spacing=10)
    sim.pay(session.id)
    sim.clock.step(39)
    assert len(shop.received) == 4

    sim.clock.step(1000)
    assert len(shop.received) == 5


def test_another_success_can_end_redelivery(
    sim: Simulator, shop: Shop, session: PaymentSession
) -> None:
    """By default only 200 does."""
    shop.code = 204
    sim.shape.change(delivered_by="any 2xx")
    sim.pay(session.id)
    sim.clock.step(900)

    assert len(shop.received) == 1


def test_patience_has_an_end(sim: Simulator, shop: Shop, session: PaymentSession) -> None:
    """A shop that takes longer counts as one that gave no answer."""
    shop.hold_until(2)
    sim.shape.change(patience=0.1)
    delivery = sim.pay(session.id)

    assert delivery is not None
    assert delivery.attempts[0].answer == "timeout"


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
