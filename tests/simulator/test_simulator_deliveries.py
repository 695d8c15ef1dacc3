"""Deliveries on command: again, at once, held, reordered, forged."""

import hashlib
import hmac
import json
import socket
from collections.abc import Mapping

import pytest

from spayon_flask.simulator import Simulator
from spayon_flask.simulator.commands import in_short
from spayon_flask.simulator.deliveries import damage
from spayon_flask.simulator.transport import Answer
from tests.simulator.bare import CREATION, Bare
from tests.simulator.scene import Scene
from tests.simulator.shop import Shop


def signature(body: bytes, secret: str = "simulator-callback-secret") -> str:
    """Sign as Spayon's documentation says."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def new_session(api: Bare, shop: Shop, order_id: str) -> str:
    """Create one more session whose callbacks go to the shop."""
    created = api.create(order_id=order_id, callback_url=f"{shop.url}/callback").json
    return str(created["session_id"])


def test_a_report_is_delivered_as_often_as_wanted(scene: Scene) -> None:
    """Byte for byte the same."""
    scene.pay()
    scene.sim.deliver(scene.session.id, times=3)

    assert len({received.body for received in scene.shop.received}) == 1
    assert len(scene.shop.received) == 4


def test_reports_delivered_concurrently_are_under_way_together(scene: Scene) -> None:
    """The shop has all of them before it answers the first."""
    scene.shop.hold_until(10)

    deliveries = scene.sim.deliver(scene.session.id, times=10, concurrently=True)
    assert [delivery.status_code for delivery in deliveries] == [200] * 10


def test_a_report_can_be_what_a_shop_has_to_notice(scene: Scene) -> None:
    """Late, about another price, damaged, signed by the old secret, or not signed at all."""
    scene.pay()
    scene.sim.deliver(scene.session.id, status="failed")
    scene.sim.deliver(scene.session.id, price="1", currency="USD")
    scene.sim.deliver(scene.session.id, damaged=True)
    scene.sim.deliver(scene.session.id, secret=scene.sim.old_callback_secret)
    scene.sim.deliver(scene.session.id, signed=False)
    true, late, priced, damaged, old, unsigned = scene.shop.received
    told = json.loads(priced.body)

    assert (json.loads(late.body)["status"], scene.session.status) == ("failed", "paid")
    assert (told["price"], told["currency"]) == ("1", "USD")
    assert sum(a != b for a, b in zip(true.body, damaged.body, strict=True)) == 1
    assert [each.headers.get("X-Signature") for each in scene.shop.received] == [
        *(signature(each.body) for each in (true, late, priced, true)),
        signature(old.body, "simulator-old-callback-secret"),
        None,
    ]
    assert unsigned.body == true.body


@pytest.mark.parametrize("body", [b'{"price":"1"}', b'{"price":"9"}', b'{"a":"1"}', b"{}", b"x"])
def test_damage_is_always_one_byte(body: bytes) -> None:
    """Whatever the body is."""
    assert sum(a != b for a, b in zip(body, damage(body), strict=True)) == 1


def test_held_callbacks_are_released_in_the_order_wanted(
    sim: Simulator, api: Bare, shop: Shop
) -> None:
    """One after the other; a shuffle repeats itself by the seed, so that it can be had again."""
    told = []
    for order in ("made", "reversed", "shuffled", "shuffled"):
        shop.received.clear()
        sim.hold_callbacks()
        for name in "ABCDEFGH":
            sim.pay(new_session(api, shop, name))

        assert shop.received == []
        sim.release(order)
        told.append("".join(shop.told("orderId")))

    assert told[:2] == ["ABCDEFGH", "HGFEDCBA"]
    assert told[2] == told[3]
    assert told[2] not in told[:2]
    assert sorted(told[2]) == sorted(told[0])


def test_a_released_callback_is_redelivered_like_any_other(scene: Scene) -> None:
    """Holding it has used up no attempt."""
    scene.sim.hold_callbacks()
    scene.pay()
    scene.shop.code = 500
    scene.sim.release()
    scene.sim.clock.step(600)

    assert len(scene.shop.received) == 3


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (400, "CSRF"),
        (401, "callback secret"),
        (403, "firewall"),
        (404, "prefix"),
        (405, "takes no POST"),
        (418, "refused the request"),
        (500, "traceback"),
        (202, "is a success to many"),
        (308, "redirects to /callback/"),
    ],
)
def test_a_failed_attempt_says_its_likely_cause(scene: Scene, code: int, words: str) -> None:
    """In words for the developer of the shop."""
    scene.shop.code = code
    scene.shop.headers = {"Location": "/callback/"}
    delivery = scene.pay()
    assert words in delivery.attempts[0].cause


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:{}/callback", "Nothing listens there"),
        ("http://no-such-host.invalid/callback", "does not exist"),
    ],
)
def test_a_shop_out_of_reach_is_explained(sim: Simulator, api: Bare, url: str, words: str) -> None:
    """It may be down, or its address wrong; it is not said to be waited for."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    created = api.create(callback_url=url.format(port)).json
    delivery = sim.pay(created["session_id"])

    assert delivery is not None
    assert words in delivery.attempts[0].cause
    assert in_short([delivery]) == "Callback: no answer."


def test_a_transport_of_ones_own_carries_the_callbacks() -> None:
    """Without a port, and in the caller's own thread."""
    carried = []

    def carry(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        carried.append((url, headers["X-Signature"] == signature(body)))
        return Answer(200)

    sim = Simulator(transport=carry)
    sim.pay(sim.create(CREATION).id)

    assert carried == [(CREATION.callback_url, True)]
