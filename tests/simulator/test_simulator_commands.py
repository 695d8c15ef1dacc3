"""The control routes: what the inspector's buttons and other programs send."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

import pytest

from spayon_flask.simulator import PaymentSession, Simulator
from tests.simulator.bare import Answer, Bare
from tests.simulator.scene import Scene

Press = Callable[..., Answer]


@pytest.fixture
def press(api: Bare) -> Press:
    """Press a button as a browser does."""

    def send(path: str, *, origin: str | None = None, **fields: Any) -> Answer:
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "text/html",
            "Origin": origin or f"http://{api.host}",
        }
        return api.ask("POST", f"/_simulator/{path}", urlencode(fields), headers)

    return send


@pytest.mark.parametrize(
    ("ending", "status"),
    [("pay", "paid"), ("decline", "failed"), ("abandon", "failed"), ("expire", "expired")],
)
def test_a_session_can_be_ended(scene: Scene, ending: str, status: str) -> None:
    """And the callback has been answered when the command is."""
    answer = scene.api.post(f"/_simulator/sessions/{scene.session.id}/{ending}", {})

    assert answer.json == {"status": status, "notice": f"The session is {status}. Callback: 200."}
    assert len(scene.shop.received) == 1


@pytest.mark.parametrize(
    ("way", "count"),
    [
        ("again", 1),
        ("ten", 10),
        ("order", 2),
        ("old_secret", 1),
        ("byte", 1),
        ("unsigned", 1),
        ("price", 1),
    ],
)
def test_a_report_can_be_delivered_in_each_way(scene: Scene, way: str, count: int) -> None:
    """Each is over when the command is answered."""
    answer = scene.api.post(f"/_simulator/sessions/{scene.session.id}/deliver", {"way": way})

    assert answer.json["codes"] == [200] * count
    assert len(scene.shop.received) == count


def test_what_is_unknown_or_senseless_does_nothing(api: Bare, session: PaymentSession) -> None:
    """The answer lists what there is."""
    deliver = f"sessions/{session.id}/deliver"
    times: list[dict[str, Any]] = [
        {"step": step} for step in ("soon", None, -1, 1e12, float("inf"), float("nan"))
    ]
    wrong: list[tuple[str, dict[str, Any], int, str]] = [
        (deliver, {"way": "upside down"}, 400, "old_secret"),
        ("callbacks/release", {"order": "best"}, 400, "shuffled"),
        ("sessions/none/deliver", {}, 404, ""),
        ("sessions/none/pay", {}, 404, ""),
        *(("clock", fields, 400, "") for fields in [*times, {"scale": -1}, {"scale": 1e308}]),
    ]
    for path, fields, code, words in wrong:
        answer = api.post(f"/_simulator/{path}", fields)
        assert answer.code == code, (path, fields)
        assert words in answer.json.get("notice", ""), (path, fields)


def test_clock_faults_and_tokens_are_commanded(scene: Scene) -> None:
    """What falls due at a step has happened; a fault has its number; tokens can be forgotten."""
    scene.api.post("/_simulator/clock", {"scale": 60})
    assert scene.sim.clock.scale == 60

    scene.api.post("/_simulator/clock", {"step": 900})
    assert (scene.session.status, len(scene.shop.received)) == ("expired", 1)

    number = scene.api.post("/_simulator/faults", {"kind": "html", "times": "all"}).json["number"]
    assert [fault.kind for fault in scene.sim.faults] == ["html"]

    scene.api.post("/_simulator/faults/clear", {"number": number})
    assert list(scene.sim.faults) == []

    scene.api.post("/_simulator/tokens/revoke", {})
    assert scene.api.create().code == 401


def test_held_callbacks_are_released(scene: Scene) -> None:
    """And until then nobody hears of the payment."""
    scene.api.post("/_simulator/callbacks/hold", {})
    scene.pay()
    assert scene.shop.received == []
    assert scene.api.get("/_simulator/version").json["held"] == 1

    answer = scene.api.post("/_simulator/callbacks/release", {"order": "reversed"})
    assert answer.json["codes"] == [200]


def test_a_button_leads_back_to_its_page_and_nowhere_else(press: Press) -> None:
    """By a hidden field of the form, whatever that says."""
    answer = press("callbacks/hold", page="/_simulator/faults")
    assert (answer.code, answer.headers["Location"]) == (303, "/_simulator/faults")

    for page in ("https://evil.example/", "//evil.example", "/pay/x"):
        assert press("callbacks/hold", page=page).headers["Location"] == "/_simulator/"


def test_the_next_page_says_what_came_of_a_button(press: Press, api: Bare) -> None:
    """Once."""
    press("clock", step=60)

    assert "The clock shows" in api.get("/_simulator/").text
    assert "The clock shows" not in api.get("/_simulator/").text


def test_another_web_site_commands_nothing(sim: Simulator, api: Bare, press: Press) -> None:
    """The browser names it in the Origin header, or in another one."""
    for origin in ("https://evil.example", "null", "http://127.0.0.1"):
        assert press("callbacks/hold", origin=origin).code == 403

    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert api.ask("POST", "/_simulator/callbacks/hold", headers=foreign).code == 403
    assert not sim.courier.holding


def test_a_simulator_behind_a_proxy_takes_commands_under_its_public_name() -> None:
    """The browser's Origin is the public one, the Host may be another."""
    with Simulator(public_url="https://pay.test/") as sim:
        api = Bare(sim.url.replace("https://pay.test", f"http://127.0.0.1:{sim.port}"))
        own = api.ask("POST", "/_simulator/callbacks/hold", headers={"Origin": "https://pay.test"})
        foreign = api.ask("POST", "/_simulator/clock", headers={"Origin": "https://evil.test"})
        named = api.ask("GET", "/_simulator/", headers={"Host": "pay.test"})
        api.close()

    assert (own.code, foreign.code, named.code) == (200, 403, 200)


def test_health_is_told_under_any_name(api: Bare) -> None:
    """A container's own check may use the container's name."""
    answer = api.ask("GET", "/_simulator/health", headers={"Host": "simulator:5001"})

    assert (answer.code, answer.json) == (200, {"status": "ok"})


@pytest.mark.parametrize("host", ["[", "::1", "a b", "127.0.0.1:x", "user@127.0.0.1", "%00"])
def test_a_host_that_makes_no_sense_opens_nothing(api: Bare, host: str) -> None:
    """And is no error of the simulator's."""
    assert api.ask("GET", "/_simulator/", headers={"Host": host}).code == 403


def test_the_version_is_another_one_after_anything_has_happened(scene: Scene) -> None:
    """By it a page knows that it is out of date."""
    versions = [scene.sim.version]
    for happening in (
        lambda: scene.sim.attempt(scene.session.id, scene.sim.card("05")),
        scene.pay,
        lambda: scene.sim.deliver(scene.session.id),
        lambda: scene.sim.fault("html"),
        scene.sim.hold_callbacks,
        scene.sim.release,
        lambda: scene.sim.clock.step(1),
        lambda: scene.api.status(scene.session.id),
        lambda: scene.sim.shape.change(price="padded"),
        scene.sim.tokens.revoke_all,
    ):
        happening()
        versions.append(scene.sim.version)

    assert not any(before == after for before, after in pairwise(versions))
