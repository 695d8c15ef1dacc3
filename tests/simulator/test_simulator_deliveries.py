"""Deliveries on command: again, at once, held, reordered, forged."""

import hashlib
import hmac
import json
import socket
from collections.abc import Mapping

import pytest

from spayon_flask.simulator import PaymentSession, Simulator
from spayon_flask.simulator.commands import in_short
from spayon_flask.simulator.deliveries import damage
from spayon_flask.simulator.transport import Answer
from tests.simulator.bare import CREATION, Bare
from tests.simulator.shop import Shop


def signature(body: bytes, secret: str = "simulator-callback-secret") -> str:
    """Sign as Spayon's documentation says."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def orders(shop: Shop) -> list[str]:
    """Return the orders that the shop was told of, in order."""
    return [json.loads(received.body)["orderId"] for received in shop.received]


def new_session(api: Bare, shop: Shop, order_id: str) -> str:
    """Create one more session whose callbacks go to the shop."""
    created = api.create(order_id=order_id, callback_url=f"{shop.url}/callback").json
    return str(created["session_id"])


def test_a_report_is_delivered_as_often_as_wanted(
    sim: Simulator, shop: Shop, session: PaymentSession
) -> None:
    """Byte for byte the same."""
    sim.pay(session.id)
    sim.deliver(session.id, times=3)

    assert len({received.body for received in shop.received}) == 1
    assert len(shop.received) == 4


def test_reports_delivered_concurrently_are_under_way_together(
    sim: Simulator, shop: Shop, session: PaymentSession
) -> None:
    """The shop has all of them before it answers the first."""
    shop.hold_until(10)

    deliveries = sim.deliver(session.id, times=10, concurrently=True)
    assert [delivery.status_code for delivery in deliveries] == [200] * 10


def test_a_report_can_be_what_a_shop_has_to_notice(
    sim: Simulator, shop: Shop, session: PaymentSession
) -> None:
    """Late, about another price, damaged, signed by the old secret, or not signed at all."""
    sim.pay(session.id)
    sim.deliver(session.id, status="failed")
    sim.deliver(session.id, price="1", currency="USD")
    sim.deliver(session.id, damaged=True)
    sim.deliver(session.id, secret=sim.old_callback_secret)
    sim.deliver(session.id, signed=False)
    true, late, priced, damaged, old, unsigned = shop.received
    told = json.loads(priced.body)

    assert (json.loads(late.body)["status"], session.status) == ("failed", "paid")
    assert (told["price"], told["currency"]) == ("1", "USD")
    assert sum(a != b for a, b in zip(true.body, damaged.body, strict=True)) == 1
    assert [each.headers.get("X-Signature") for each in shop.received] == [
        *(signature(each.body) for each in (true, late, priced, true)),
        signature(old.body, "simulator-old-callback-secret"),
        None,
    ]
    assert unsigned.body == true.body


@pytest.mark.parametrize("body", [b'{"price":"1"}', b'{"price":"9"}', b'{"a":"1"}', b"{}", b"x"])
def test_damage_is_always_one_byte(body: bytes) -> None:
    """Whatever the body is."""
    assert sum(a != b for a, b in zip(body, damage(body), strict=True)) == 1


@pytest.mark.parametrize(
    ("order", "told"), [("made", ["A", "B", "C"]), ("reversed", ["C", "B", "A"])]
)
def test_held_callbacks_are_released_in_the_order_wanted(
    sim: Simulator, api: Bare, shop: Shop, order: str, told: list[str]
) -> None:
    """One after the other."""
    sim.hold_callbacks()
    for name in "ABC":
        sim.pay(new_session(api, shop, name))

    assert shop.received == []

    sim.release(order)
    assert orders(shop) == told


def test_a_shuffle_repeats_itself_by_the_seed(sim: Simulator, api: Bare, shop: Shop) -> None:
    """So that what it has uncovered can be had again."""
    told = []
    for _ in range(2):
        shop.received.clear()
        sim.hold_callbacks()
        for name in "ABCDEFGH":
            sim.pay(new_session(api, shop, name))

        sim.release("shuffled")
        told.append(orders(shop))

    assert told[0] == told[1]
    assert sorted(told[0]) == list("ABCDEFGH")
    assert told[0] != list("ABCDEFGH")


def test_a_released_callback_is_redelivered_like_any_other(
    sim: Simulator, shop: Shop, session: PaymentSession
) -> None:
    """Holding it has used up no attempt."""
    sim.hold_callbacks()
    sim.pay(session.id)
    shop.code = 500
    sim.release()
    sim.clock.step(600)

    assert len(shop.received) == 3


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
def test_a_failed_attempt_says_its_likely_cause(
    sim: Simulator, shop: Shop, session: PaymentSession, code: int, words: str
) -> None:
    """In words for the developer of the shop."""
    shop.code = code
    shop.headers = {"Location": "/callback/"}
    delivery = sim.pay(session.id)

    assert delivery is not None
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
