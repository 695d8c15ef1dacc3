"""Each fault does what it says, as often as it was asked to."""

import errno
import http.client
import json
import time
from collections.abc import Callable
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from spayon_flask.simulator import Simulator
from spayon_flask.simulator.faults import PRESETS, UNKNOWN_STATUS, Faults
from spayon_flask.simulator.story import outcome
from tests.simulator.bare import Answer, Bare
from tests.simulator.scene import Scene
from tests.simulator.shop import Shop

SESSIONS = "POST /api/product/session"


@pytest.mark.parametrize("code", [400, 401, 403, 404, 429, 500, 502, 503])
def test_any_call_can_be_refused(sim: Simulator, api: Bare, code: int) -> None:
    """Also with codes that say that the shop is wrong; nothing is done."""
    calls: dict[str, Callable[[], Answer]] = {
        "sessions": api.create,
        "status": lambda: api.status("x"),
        "tokens": lambda: api.post("/api/tokens", {}),
    }
    for on, call in calls.items():
        sim.fault("error", on=on, code=code)
        assert call().code == code

    assert sim.sessions.created == 0


def test_retry_after_is_seconds_or_a_date_or_missing(sim: Simulator, api: Bare) -> None:
    """One second unless more are asked for; a date is by real time, as the shop's own clock is."""
    for seconds, told in ((None, "1"), (7, "7")):
        sim.fault("error", code=429, **({"seconds": seconds} if seconds else {}))
        assert api.create().headers["Retry-After"] == told

    sim.fault("error", code=503, retry_after="date", seconds=60)
    asked = datetime.now(timezone.utc)
    until = parsedate_to_datetime(api.create().headers["Retry-After"])
    assert 58 <= (until - asked).total_seconds() <= 65

    sim.fault("error", retry_after="none")
    assert "Retry-After" not in api.create().headers


def test_a_kept_connection_is_reset_on_its_second_request(sim: Simulator, api: Bare) -> None:
    """And the first request of a new connection is answered."""
    sim.fault("reset_reused", times=None)
    with pytest.raises(ConnectionResetError) as raised:
        api.create()

    # By an RST, and not by an orderly end.
    assert raised.value.errno == errno.ECONNRESET
    assert sim.sessions.created == 0
    assert list(sim.requests)[-1].status_code is None
    api.close()
    assert api.create().code == 200


@pytest.mark.parametrize(
    ("kind", "options", "begins", "made"),
    [
        ("bom", {}, b"\xef\xbb\xbf{", 1),
        ("odd_json", {"form": "list"}, b"[{", 1),
        ("odd_json", {"form": "nulls"}, b'{"session_id": null', 1),
        ("odd_json", {"form": "nested"}, b'{"a":{"', 1),
        ("html", {}, b"<", 0),
        ("drop_before", {}, http.client.RemoteDisconnected, 0),
        ("drop_after", {}, http.client.RemoteDisconnected, 1),
        ("truncated", {}, http.client.IncompleteRead, 1),
    ],
)
def test_what_a_client_gets_says_nothing_of_what_was_done(
    sim: Simulator, api: Bare, kind: str, options: dict[str, Any], begins: Any, made: int
) -> None:
    """An odd answer or none, and a session or none."""
    sim.fault(kind, on="sessions", **options)

    if isinstance(begins, bytes):
        answer = api.create()
        assert answer.code == 200
        assert answer.body.startswith(begins)
        assert (kind == "html") == answer.headers["Content-Type"].startswith("text/html")

    else:
        with pytest.raises(begins):
            api.create()

    assert sim.sessions.created == made


@pytest.mark.parametrize("kind", ["latency", "trickle"])
def test_a_slow_answer_takes_real_time(sim: Simulator, api: Bare, kind: str) -> None:
    """As the client's own clock tells it; all of it arrives."""
    sim.fault(kind, on="sessions", seconds=0.2)
    start = time.monotonic()

    assert "session_id" in api.create().json
    assert time.monotonic() - start >= 0.2
    assert kind == "trickle" or list(sim.requests)[-1].seconds >= 0.2


def test_a_status_that_nobody_knows_comes_before_the_true_one(scene: Scene) -> None:
    """In a status answer and in a callback; the session itself stays as it was."""
    scene.sim.fault("unknown_status")
    assert [scene.api.status(scene.session.id).json["status"] for _ in range(2)] == [
        UNKNOWN_STATUS,
        "pending",
    ]

    scene.sim.fault("callback_unknown_status")
    scene.pay()
    assert scene.shop.told("status") == [UNKNOWN_STATUS, "paid"]


@pytest.mark.parametrize(
    ("kind", "options", "at_once", "says", "seconds", "later"),
    [
        ("callback_lost", {}, 0, "lost on the way", 300, 1),
        ("callback_answer_lost", {}, 1, "answer lost", 300, 2),
        ("callback_late", {"seconds": 60}, 0, "", 60, 1),
        ("callback_reordered", {}, 0, "", 60, 1),
    ],
)
def test_a_callback_that_goes_astray_comes_in_its_time(
    scene: Scene,
    kind: str,
    options: dict[str, Any],
    at_once: int,
    says: str,
    seconds: int,
    later: int,
) -> None:
    """With the next attempt or after its minute, and what was lost is no answer of the shop."""
    scene.sim.fault(kind, **options)
    delivery = scene.pay()
    scene.sim.clock.step(seconds - 1)
    assert (len(scene.shop.received), delivery.status_code) == (at_once, None)
    assert outcome(delivery).startswith(says)
    assert not says or delivery.good is None

    scene.sim.clock.step(1)
    assert (len(scene.shop.received), delivery.status_code) == (later, 200)


def test_a_fault_can_strike_one_order_only(sim: Simulator, api: Bare, shop: Shop) -> None:
    """Its creation, its status calls, its callbacks; a token is about no order."""
    sim.fault("error", order="A", times=None)
    assert api.log_in().code == 200
    assert [api.create(order_id=order).code for order in ("A", "B")] == [503, 200]

    sim.faults.clear()
    ids = [api.create(order_id=order, callback_url=shop.url).json["session_id"] for order in "AB"]
    sim.fault("html", on="status", order="A", times=None)
    kinds = [api.status(session_id).headers["Content-Type"] for session_id in ids]
    assert [kind.partition(";")[0] for kind in kinds] == ["text/html", "application/json"]

    sim.fault("callback_lost", order="B", times=None)
    for session_id in ids:
        sim.pay(session_id)

    assert shop.told("orderId") == ["A"]


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_arms_its_faults_for_good(name: str) -> None:
    """For one order, if asked to."""
    faults = Faults()
    armed = faults.arm_preset(name, order="A")

    assert [fault.kind for fault in armed] == [each["kind"] for each in PRESETS[name].faults]
    assert {(fault.times, fault.order) for fault in faults} == {(None, "A")}


def test_every_callback_comes_twice_and_reversed(sim: Simulator, api: Bare, shop: Shop) -> None:
    """In pairs."""
    sim.faults.arm_preset("callbacks_twice")
    for order in "ABCD":
        created = api.create(order_id=order, callback_url=shop.url).json
        sim.pay(created["session_id"], wait=False)
        sim.settle()

    assert "".join(shop.told("orderId")) == "BBAADDCC"


def test_a_token_can_be_odd(sim: Simulator, stranger: Bare) -> None:
    """Its life as text, once; dead whatever its expires_in says; the death of the old one."""
    sim.fault("expires_in_text")
    assert [stranger.log_in().json["expires_in"] for _ in range(2)] == ["3600", 3600]

    sim.fault("token_dies_early", seconds=10)
    assert stranger.log_in().json["expires_in"] == 3600
    assert stranger.create().code == 200
    sim.clock.step(10)
    assert stranger.create().code == 401

    stranger.log_in()
    old = stranger.token
    sim.fault("old_tokens_die")
    stranger.log_in()
    assert stranger.create().code == 200
    assert stranger.get("/api/product/session/x", Authorization=f"Bearer {old}").code == 401


def test_a_duplicated_callback_arrives_twice_at_once(scene: Scene) -> None:
    """Both before the shop has answered either; the duplicate has no attempts of its own."""
    scene.shop.code = 500
    scene.shop.hold_until(2)
    scene.sim.fault("callback_duplicated")
    scene.pay()
    scene.sim.settle()
    assert len(scene.shop.received) == 2

    scene.sim.clock.step(900)
    assert len(scene.shop.received) == 2 + 2


def test_a_reordered_callback_comes_after_the_next_one(scene: Scene) -> None:
    """Whichever session that is about."""
    other = scene.api.create(callback_url=f"{scene.shop.url}/callback", order_id="B").json[
        "session_id"
    ]
    scene.sim.fault("callback_reordered")
    scene.pay()
    scene.sim.pay(other)
    scene.sim.settle()

    assert scene.shop.told("orderId") == ["B", "A-1"]


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
    """After so many calls that it lets pass, or for ever; only at its endpoint; and it is shown."""
    sim.fault("error", on="tokens")
    sim.fault("error", on="sessions", skip=1, times=2)
    assert [api.create().code for _ in range(5)] == [200, 503, 503, 200, 200]
    assert [call.fault for call in sim.requests][-3:] == ["error", None, None]
    assert list(sim.requests)[-1].endpoint == SESSIONS

    sim.fault("error", times=None)
    assert [api.create().code for _ in range(3)] == [503] * 3

    sim.faults.clear()
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
        {"kind": "callback_lost", "on": "tokens"},
        {"kind": "expires_in_text", "on": "status"},
        {"retry_after": "never"},
        {"form": "round"},
        {"order": 7},
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
