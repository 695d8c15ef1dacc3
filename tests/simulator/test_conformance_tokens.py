"""`POST /api/tokens`, statement by statement of Spayon's documentation."""

import pytest

from spayon_flask.simulator import Simulator
from tests.simulator.bare import Bare


def test_a_token_is_sold_for_the_client_id_and_secret(stranger: Bare) -> None:
    """A JWT as `access_token`, its `token_type` and `expires_in`."""
    answer = stranger.log_in()

    assert answer.code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json["token_type"] == "Bearer"
    assert answer.json["expires_in"] == 3600
    assert answer.json["access_token"].count(".") == 2


@pytest.mark.parametrize("wrong", [{"client_id": "other"}, {"client_secret": "other"}])
def test_wrong_credentials_are_answered_with_401(stranger: Bare, wrong: dict[str, str]) -> None:
    """Neither may be wrong."""
    assert stranger.log_in(**wrong).code == 401


@pytest.mark.parametrize("body", ["", "[]", "{}", "nonsense", '{"client_id": "simulator-client"}'])
def test_a_malformed_token_request_is_answered_with_400(stranger: Bare, body: str) -> None:
    """And the answer says what is expected."""
    answer = stranger.ask("POST", "/api/tokens", body)

    assert answer.code == 400
    assert "client_secret" in answer.json["error"]


def test_a_call_without_a_token_that_was_sold_is_answered_with_401(stranger: Bare) -> None:
    """For creation and status alike: no token, an unknown one, or another scheme than Bearer."""
    assert stranger.create().code == 401
    assert stranger.status("any").code == 401

    stranger.token = "a.b.c"
    assert stranger.create().code == 401

    stranger.log_in()
    basic = f"Basic {stranger.token}"
    assert stranger.post("/api/product/session", {}, Authorization=basic).code == 401


def test_a_token_is_good_for_an_hour_whatever_was_sold_after_it(sim: Simulator, api: Bare) -> None:
    """Two workers of a shop may each have their own; none is good for one second more."""
    first = api.token
    sim.clock.step(3599)
    api.log_in()
    api.token = first
    assert api.create().code == 200

    sim.clock.step(1)
    assert api.create().code == 401
