"""Each fault does what it says, as often as it was asked to."""

import http.client
import json
from typing import Any

import pytest

from spayon_flask.simulator import PaymentSession
from spayon_flask.simulator import Simulator
from spayon_flask.simulator.faults import Faults

from .bare import Bare
from .shop import Shop


SESSIONS = "POST /api/product/session"


@pytest.mark.parametrize("code", [429, 500, 503])
def test_an_error_answer_does_nothing(sim: Simulator, api: Bare, code: int) -> None:
    """And the next call works again."""
    sim.fault("error", on="sessions", code=code)

    assert api.create().code == code
    assert sim.sessions.created == 0
    assert api.create().code == 200


def test_latency_makes_an_answer_late(sim: Simulator, api: Bare) -> None:
    """By real time, as the client's own clock tells it."""
    sim.fault("latency", seconds=0.05)
    api.create()

    assert list(sim.requests)[-1].seconds >= 0.05


def test_a_connection_dropped_before_the_work_leaves_nothing(sim: Simulator, api: Bare) -> None:
    """The client gets no answer."""
    sim.fault("drop_before", on="sessions")

    with pytest.raises(http.client.RemoteDisconnected):
        api.create()

    assert sim.sessions.created == 0


def test_a_connection_dropped_after_the_work_leaves_a_session(sim: Simulator, api: Bare) -> None:
    """Of which the client does not know the id."""
    sim.fault("drop_after", on="sessions")

    with pytest.raises(http.client.RemoteDisconnected):
        api.create()

    assert sim.sessions.created == 1


def test_a_truncated_answer_ends_in_the_middle(sim: Simulator, api: Bare) -> None:
    """The work is done all the same."""
    sim.fault("truncated", on="sessions")

    with pytest.raises(http.client.IncompleteRead):
        api.create()

    assert sim.sessions.created == 1


def test_an_html_answer_is_a_200_that_means_nothing(sim: Simulator, api: Bare) -> None:
    """As a proxy's maintenance page is."""
    sim.fault("html", on="status")
    answer = api.status("any")

    assert answer.code == 200
    assert answer.headers["Content-Type"].startswith("text/html")


def test_a_token_can_die_early(sim: Simulator, stranger: Bare) -> None:
    """Whatever its expires_in says."""
    sim.fault("token_dies_early", seconds=10)
    assert stranger.log_in().json["expires_in"] == 3600
    assert stranger.create().code == 200

    sim.clock.step(10)
    assert stranger.create().code == 401


def test_a_lost_callback_comes_with_the_next_attempt(
    sim: Simulator, shop: Shop, session: PaymentSession
) -> None:
    """Five minutes later."""
    sim.fault("callback_lost")
    sim.pay(session.id)
    assert shop.received == []

    sim.clock.step(300)
    assert len(shop.received) == 1


def test_a_late_callback_sets_out_later(
    sim: Simulator, shop: Shop, session: PaymentSession
) -> None:
    """When the payer has been back for long."""
    sim.fault("callback_late", seconds=60)
    sim.pay(session.id)
    sim.clock.step(59)
    assert shop.received == []

    sim.clock.step(1)
    assert len(shop.received) == 1


def test_a_duplicated_callback_arrives_twice_at_once(
    sim: Simulator, shop: Shop, session: PaymentSession
) -> None:
    """Both before the shop has answered either."""
    shop.hold_until(2)
    sim.fault("callback_duplicated")
    sim.pay(session.id)
    sim.settle()

    assert len(shop.received) == 2


def test_a_duplicate_of_a_refused_callback_is_redelivered_once(
    sim: Simulator, shop: Shop, session: PaymentSession
) -> None:
    """The duplicate has no attempts of its own."""
    shop.code = 500
    sim.fault("callback_duplicated")
    sim.pay(session.id)
    sim.clock.step(900)

    assert len(shop.received) == 2 + 2


def test_a_reordered_callback_comes_after_the_next_one(
    sim: Simulator, api: Bare, shop: Shop, session: PaymentSession
) -> None:
    """Whichever session that is about."""
    other = api.create(callback_url=f"{shop.url}/callback", order_id="B").json["session_id"]
    sim.fault("callback_reordered")
    sim.pay(session.id)
    sim.pay(other)
    sim.settle()

    assert [json.loads(one.body)["orderId"] for one in shop.received] == ["B", "A-1"]


def test_a_reordered_callback_does_not_wait_for_ever(
    sim: Simulator, shop: Shop, session: PaymentSession
) -> None:
    """If no other comes within a minute it sets out."""
    sim.fault("callback_reordered")
    sim.pay(session.id)
    sim.clock.step(60)

    assert len(shop.received) == 1


@pytest.mark.parametrize("status", ["paid", "failed", "expired"])
def test_a_callback_can_come_before_the_create_answer(
    sim: Simulator, api: Bare, shop: Shop, status: str
) -> None:
    """When the client reads the session_id the shop has been told of it already."""
    sim.fault("callback_before_answer", status=status)
    created = api.create(callback_url=f"{shop.url}/callback").json

    told = json.loads(shop.received[0].body)
    assert told["status"] == status
    assert told["sessionId"] == created["session_id"]


def test_a_fault_strikes_as_often_as_asked(sim: Simulator, api: Bare) -> None:
    """After so many calls that it lets pass."""
    sim.fault("error", on="sessions", skip=1, times=2)

    assert [api.create().code for _ in range(5)] == [200, 503, 503, 200, 200]


def test_a_fault_strikes_for_ever_if_asked(sim: Simulator, api: Bare) -> None:
    """Until it is disarmed."""
    sim.fault("error", times=None)
    assert [api.create().code for _ in range(3)] == [503] * 3

    sim.faults.clear()
    assert api.create().code == 200


def test_a_fault_leaves_other_endpoints_alone(sim: Simulator, api: Bare) -> None:
    """It is on the one that was named."""
    sim.fault("error", on="tokens")

    assert api.create().code == 200


def test_chances_repeat_themselves_by_the_seed() -> None:
    """The same calls are struck again."""

    def struck(seed: int) -> list[bool]:
        faults = Faults(seed=seed)
        faults.arm("error", chance=0.5, times=None)
        return [faults.strike("error", "tokens") is not None for _ in range(50)]

    assert struck(1) == struck(1)
    assert struck(1) != struck(2)
    assert 10 < sum(struck(1)) < 40


@pytest.mark.parametrize(
    "options",
    [
        {"kind": "gremlin"},
        {"on": "moon"},
        {"code": 418},
        {"chance": 0},
        {"times": 0},
        {"skip": -1},
        {"seconds": -1},
        {"status": "lost"},
    ],
)
def test_a_senseless_fault_is_refused(options: dict[str, Any]) -> None:
    """When it is armed, not when it should strike."""
    with pytest.raises(ValueError, match=r"must be|no fault"):
        Faults().arm(**{"kind": "error", **options})


def test_a_struck_call_says_so_in_the_history(sim: Simulator, api: Bare) -> None:
    """So that nobody looks for a mistake that was asked for."""
    sim.fault("error", on="sessions")
    api.create()

    call = list(sim.requests)[-1]
    assert call.endpoint == SESSIONS
    assert call.fault == "error"
