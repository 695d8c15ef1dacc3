"""`POST /api/product/session`, statement by statement of Spayon's documentation."""

import json
from typing import Any

import pytest

from spayon_flask.simulator import Simulator
from tests.simulator.bare import Bare

CUSTOM = {
    "product_name": "Custom Product",
    "price": 1000,
    "currency": "amd",
    "callback_url": "https://example.com/api/payment-callback",
    "return_url": "https://example.com/thank-you",
    "cancel_url": "https://example.com/payment-cancelled",
    "email": "user@example.com",
    "username": "john_doe",
    "full_name": "John Doe",
    "order_id": "ORDER_123456",
    "defaultPaymentMethod": "visamaster",
    "availablePaymentMethods": ["visamaster", "mir"],
    "language": "en",
}
NOT_CUSTOM = {"product_name": None, "price": None, "currency": None}
PANEL = {"product_id": 1} | {key: CUSTOM[key] for key in list(CUSTOM)[3:]}


@pytest.mark.parametrize("body", [CUSTOM, PANEL], ids=["custom", "panel"])
def test_both_documented_forms_are_taken(api: Bare, body: dict[str, Any]) -> None:
    """The answer holds `session_url` and `session_id`."""
    answer = api.post("/api/product/session", body)

    assert answer.code == 200
    assert answer.json["session_id"] in answer.json["session_url"]


def test_the_session_url_opens_the_hosted_page(sim: Simulator, api: Bare) -> None:
    """At the simulator's own address."""
    url = api.create().json["session_url"]

    assert url.startswith(f"{sim.url}/")
    assert "Coffee" in api.get(url.removeprefix(sim.url)).text


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"price": "1000"}, "price must be a number"),
        ({"price": True}, "price must be a number"),
        ({"price": 0}, "above zero"),
        ({"price": -1}, "above zero"),
        ({"price": 1e400}, "not a number"),
        ({"price": None}, "price missing"),
        ({"currency": "dram"}, "three letters"),
        ({"currency": 51}, "three letters"),
        ({"product_name": ""}, "product_name is empty"),
        ({"product_name": None, "price": None}, "product_name and price missing"),
        ({"product_id": 1}, "in place of"),
        ({**NOT_CUSTOM, "product_id": 99}, "not set up"),
        ({**NOT_CUSTOM, "product_id": "1"}, "an integer"),
        ({**NOT_CUSTOM, "product_id": True}, "an integer"),
        ({**NOT_CUSTOM, "product_id": 1.5}, "an integer"),
        ({"callback_url": "/callback"}, "callback_url must be an absolute URL"),
        ({"return_url": "javascript:alert(1)"}, "return_url must be an absolute URL"),
        ({"cancel_url": "http://["}, "cancel_url must be an absolute URL"),
        ({"cancel_url": "http://example.com:port/"}, "cancel_url must be an absolute URL"),
        ({"order_id": 7}, "order_id must be a string"),
        ({"email": "x" * 2001}, "longer than"),
        ({"availablePaymentMethods": "mir"}, "list of strings"),
        ({"availablePaymentMethods": [1]}, "list of strings"),
        ({"language": ["en"]}, "language must be a string"),
    ],
)
def test_a_bad_field_is_refused_with_a_reason(api: Bare, changes: Any, reason: str) -> None:
    """The answer is 400 and names the field."""
    answer = api.create(**changes)

    assert answer.code == 400
    assert reason in answer.json["error"]


@pytest.mark.parametrize("body", [b"", b"[]", b"1", b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_refused(api: Bare, body: bytes) -> None:
    """Whatever it is instead."""
    headers = {"Authorization": f"Bearer {api.token}"}
    answer = api.ask("POST", "/api/product/session", body, headers)

    assert answer.code == 400
    assert "body" in answer.json["error"]


def test_a_price_keeps_every_digit(api: Bare) -> None:
    """A float would have changed the last ones."""
    headers = {"Authorization": f"Bearer {api.token}"}
    body = '{"product_name": "Gold", "price": 90071992547409.93, "currency": "amd"}'
    created = api.ask("POST", "/api/product/session", body, headers).json

    assert api.status(created["session_id"]).json["price"] == "90071992547409.93"


def test_the_urls_of_the_panel_stand_in_for_missing_ones(sim: Simulator, api: Bare) -> None:
    """They can be configured there as defaults."""
    sim.panel.callback_url = "https://shop.example/callback"
    created = api.create().json

    session = sim.sessions[created["session_id"]]
    assert session.creation.callback_url == "https://shop.example/callback"


def test_a_chunked_body_is_read(api: Bare) -> None:
    """Some HTTP clients send one."""
    body = json.dumps(CUSTOM).encode()
    headers = {"Authorization": f"Bearer {api.token}", "Transfer-Encoding": "chunked"}
    chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)

    assert api.ask("POST", "/api/product/session", chunked, headers).code == 200
