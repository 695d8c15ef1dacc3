"""Whatever Spayon does that its documentation does not say: a shop still works."""

from __future__ import annotations

import re
from typing import Any

import pytest

from spayon_flask.assumptions import REGISTER
from spayon_flask.simulator import PaymentSession
from spayon_flask.simulator import Simulator
from spayon_flask.simulator.shape import SWITCHES
from tests.shop import Shop


TYPED = {"email": "ani@example.com", "full_name": "Ani"}

UNKNOWN = [each for each in REGISTER if not each.documented and each.switch]

#: Numbers and names have no list of values.
PLAUSIBLE: dict[str, list[Any]] = {
    "patience": [2, 60],
    "cancel_parameter": ["session_id", "sessionId"],
    "required": [["email"], ["full_name"], ["email", "full_name"], ["order_id"], ["cancel_url"]],
}


def values(switch: str) -> list[Any]:
    """Return the plausible values of a switch, the usual one apart."""
    return PLAUSIBLE.get(switch) or [*SWITCHES[switch].values[1:]]


SHAPES = [
    pytest.param({each.switch: value}, id=f"{each.id}-{value}")
    for each in UNKNOWN
    if not each.item
    for value in values(each.switch)
] + [pytest.param({"refused": [each.item]}, id=each.id) for each in UNKNOWN if each.item]

pytestmark = pytest.mark.parametrize("shape", SHAPES)


@pytest.fixture
def selling(live_shop: Shop, sim: Simulator, shape: dict[str, Any]) -> Shop:
    """A shop with an order, and a gateway of that shape."""
    live_shop.add_order()
    sim.shape.change(**shape)
    return live_shop


def check_out(shop: Shop, sim: Simulator) -> PaymentSession:
    """Go to Spayon as a payer with an Armenian browser does."""
    browser = shop.app.test_client()
    page = browser.post(
        "/pay/checkout/A1", data=TYPED, headers={"Accept-Language": "hy-AM,hy;q=0.9"}
    )
    assert page.status_code == 303, page.text
    return sim.sessions[page.location.rsplit("/", 1)[1]]


def state_shown(shop: Shop, path: str) -> str:
    page = shop.app.test_client().get(path)
    found = re.search('data-state="([a-z_]+)"', page.text)
    assert page.status_code == 200
    return found.group(1) if found else ""


def test_a_purchase(selling: Shop, sim: Simulator) -> None:
    session = check_out(selling, sim)
    sim.pay(session.id)

    assert state_shown(selling, f"/pay/return?session_id={session.id}") == "paid"
    assert selling.paid_times() == 1
    assert selling.handled == [("A1", "paid")]


def test_a_decline(selling: Shop, sim: Simulator) -> None:
    session = check_out(selling, sim)
    sim.decline(session.id)

    assert state_shown(selling, f"/pay/return?session_id={session.id}") == "failed"
    assert selling.handled == [("A1", "failed")]


@pytest.mark.parametrize("ending", ["declined", "given up", "expired"])
def test_a_purchase_at_the_second_attempt(selling: Shop, sim: Simulator, ending: str) -> None:
    first = check_out(selling, sim)
    end = {"declined": sim.decline, "given up": sim.abandon, "expired": sim.expire}[ending]
    end(first.id)
    second = check_out(selling, sim)
    sim.pay(second.id)

    assert second.id != first.id
    assert state_shown(selling, f"/pay/return?session_id={second.id}") == "paid"
    assert selling.paid_times() == 1


def test_a_payer_who_clicks_back_goes_on_and_pays(selling: Shop, sim: Simulator) -> None:
    session = check_out(selling, sim)
    cancel_url = session.creation.cancel_url
    assert cancel_url is not None
    path = cancel_url.partition("/pay/cancel/")[2]
    parameter = sim.shape.cancel_parameter
    query = f"?{parameter}={session.id}" if parameter else ""
    page = selling.app.test_client().get(f"/pay/cancel/{path}{query}")

    assert page.status_code == 200
    assert session.id in page.text

    sim.pay(session.id)
    assert selling.paid_times() == 1


def test_a_callback_that_never_comes(selling: Shop, sim: Simulator) -> None:
    session = check_out(selling, sim)
    sim.fault("callback_lost", times=None)
    sim.pay(session.id)
    selling.clock.step(20 * 60)
    sim.clock.step(20 * 60)

    with selling.app.app_context():
        selling.spayon.reconcile()

    assert selling.paid_times() == 1


def test_a_token_that_is_over(selling: Shop, sim: Simulator) -> None:
    check_out(selling, sim)
    sim.tokens.revoke_all()
    selling.add_order("A2")
    browser = selling.app.test_client()

    assert browser.post("/pay/checkout/A2", data=TYPED).status_code == 303
