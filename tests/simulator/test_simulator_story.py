"""Origin, sending again, replay, export and import: what a bug hunt needs."""

import hmac
import json
import re
import shlex
import subprocess
from datetime import timedelta
from typing import Any

import pytest

from spayon_flask.simulator import Delivery, PaymentSession, Simulator
from spayon_flask.simulator.story import as_har, as_json, curl_of, expected, grouped, load, origin
from tests.simulator.bare import Bare
from tests.simulator.scene import Scene
from tests.simulator.shop import Shop


def right(sim: Simulator, body: bytes) -> str:
    """Return the signature that *body* should have."""
    return hmac.digest(sim.callback_secret.encode(), body, "sha256").hex()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "by hand"),
        ({"times": 10, "concurrently": True}, "10 at once"),
        ({"price": "1"}, "price changed"),
        ({"status": "pending"}, "older status"),
        ({"orderId": "B"}, "changed"),
        ({"damaged": True}, "forged"),
        ({"signed": False}, "forged"),
        ({"secret": "simulator-old-callback-secret"}, "forged"),
    ],
)
def test_a_delivery_says_where_it_comes_from(
    scene: Scene, options: dict[str, Any], words: str
) -> None:
    """A manipulated one does not look genuine."""
    made = scene.sim.deliver(scene.session.id, **options)

    assert {origin(delivery) for delivery in made} == {words}
    assert all(expected(scene.sim, delivery) for delivery in made)


def test_a_retry_says_which_one_it_is(sim: Simulator, shop: Shop, session: PaymentSession) -> None:
    """Of how many."""
    shop.code = 500
    delivery = sim.pay(session.id)
    assert delivery is not None
    assert origin(delivery) == "first"

    sim.clock.step(300)
    assert origin(delivery) == "retry 2 of 3"


def test_a_changed_price_should_bring_a_review_unless_the_true_one_came_first(scene: Scene) -> None:
    """The sentence knows which of the two it is, and is in the answer to the command."""
    answer = scene.api.post(f"/_simulator/sessions/{scene.session.id}/deliver", {"way": "price"})
    early = "Callback: 200. 200 is right; it should be under review"
    assert answer.json["notice"].startswith(early)

    scene.pay()
    (late,) = scene.sim.deliver(scene.session.id, price="1")
    assert "nothing may change" in expected(scene.sim, late)


def test_equal_deliveries_share_a_line(sim: Simulator, api: Bare, session: PaymentSession) -> None:
    """And unequal ones do not."""
    sim.deliver(session.id)
    sim.deliver(session.id, times=10, concurrently=True)
    sim.deliver(session.id, damaged=True)

    assert [len(group) for group in grouped(sim.deliveries)] == [1, 10, 1]
    assert "200 × 10" in api.get("/_simulator/deliveries").text


def test_a_callback_is_sent_again_as_it_was(scene: Scene) -> None:
    """Byte by byte, also if the session has moved on; by the command of curl as well."""
    scene.pay()
    answer = scene.api.post("/_simulator/deliveries/1/send", {})
    command = curl_of(scene.sim, next(iter(scene.sim.deliveries)))
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)

    assert answer.json["codes"] == [200]
    assert "200" in done.stdout
    assert len(scene.shop.received) == 3
    assert len({received.body for received in scene.shop.received}) == 1
    signatures = {received.headers["X-Signature"] for received in scene.shop.received}
    assert signatures == {right(scene.sim, scene.shop.received[0].body)}


@pytest.mark.parametrize("signature", ["right", "old", "none", "other"])
def test_an_edited_callback_has_the_signature_that_was_chosen(scene: Scene, signature: str) -> None:
    """Right, by the old secret, none, or that of other bytes."""
    scene.pay()
    body = '{"sessionId": "x",\n "status": "failed"}'
    fields = {"body": body, "signature": signature}
    number = scene.api.post("/_simulator/deliveries/1/send", fields).json["number"]
    received = scene.shop.received[-1]
    old = hmac.digest(scene.sim.old_callback_secret.encode(), body.encode(), "sha256").hex()

    assert received.body.decode() == body
    wanted = {"right": right(scene.sim, received.body), "old": old, "none": None}
    given = received.headers.get("X-Signature")
    assert given == wanted[signature] if signature in wanted else given not in wanted.values()
    made = scene.sim.deliveries.find(number)
    assert made is not None
    assert origin(made) == ("edited" if signature == "right" else "forged")
    assert made.status == "failed"


def test_a_form_sends_the_line_breaks_that_the_callback_had(scene: Scene) -> None:
    """A browser makes two characters of each."""
    scene.pay()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    scene.api.ask("POST", "/_simulator/deliveries/1/send", "body=%7B%0D%0A%7D", headers)

    assert scene.shop.received[-1].body == b"{\n}"


def test_a_signature_of_an_unknown_kind_is_refused(scene: Scene) -> None:
    """With the kinds there are."""
    scene.pay()
    answer = scene.api.post("/_simulator/deliveries/1/send", {"signature": "best"})

    assert answer.code == 400
    assert "other" in answer.json["notice"]
    assert scene.api.post("/_simulator/deliveries/99/send", {}).code == 404


def test_the_curl_command_sends_the_same_callback(sim: Simulator, shop: Shop, api: Bare) -> None:
    """Whatever is in it, quotes among them."""
    created = api.create(product_name='Isn\'t "it" $HOME `x`', callback_url=shop.url).json
    sim.pay(created["session_id"])
    words = shlex.split(curl_of(sim, next(iter(sim.deliveries))))

    assert words[:5] == ["curl", "-i", "-X", "POST", shop.url]
    assert words[words.index("--data-binary") + 1].encode() == shop.received[0].body
    signature = right(sim, shop.received[0].body)
    assert f"X-Signature: {signature}" in words


def test_a_call_can_be_copied_as_curl_without_its_token(sim: Simulator, api: Bare) -> None:
    """The token is left to be filled in."""
    api.create()
    command = curl_of(sim, list(sim.requests)[-1])

    assert "Authorization: Bearer TOKEN" in command
    assert str(api.token) not in command


def story_of(sim: Simulator, shop: Shop, session: PaymentSession) -> dict[str, Any]:
    """Return the story of a session whose callback came thrice, with delays."""
    shop.code = 500
    sim.pay(session.id)
    sim.clock.step(300)
    shop.code = 200
    sim.clock.step(300)
    sim.deliver(session.id, damaged=True)
    found: dict[str, Any] = json.loads(json.dumps(as_json(sim, session)))
    return found


def test_a_replay_keeps_order_and_delays(scene: Scene) -> None:
    """By the simulator's clock."""
    story_of(scene.sim, scene.shop, scene.session)
    recorded = [received.body for received in scene.shop.received]
    scene.shop.received.clear()
    made = scene.api.post(f"/_simulator/sessions/{scene.session.id}/replay", {}).json["numbers"]
    scene.sim.settle()
    assert [received.body for received in scene.shop.received] == recorded[:1]

    scene.sim.clock.step(299)
    assert len(scene.shop.received) == 1
    scene.sim.clock.step(2)
    assert len(scene.shop.received) == 2
    scene.sim.clock.step(300)
    assert [received.body for received in scene.shop.received] == recorded
    assert {scene.sim.deliveries.find(number).origin for number in made} == {"replayed"}  # type: ignore[union-attr]  # just made


def test_a_story_is_played_back_by_another_simulator(scene: Scene) -> None:
    """With all that is known of the session, and signed with its own secret."""
    story = story_of(scene.sim, scene.shop, scene.session)
    scene.shop.received.clear()
    with Simulator(time_scale=0, callback_secret="another") as other:
        made = load(other, story)
        other.clock.step(601)
        found = other.sessions[scene.session.id]

        assert (found.status, found.order_id) == ("paid", "A-1")
        assert len(list(other.requests)) == len(scene.sim.requests.of(scene.session.id)) == 1
        bodies = [received.body for received in scene.shop.received]
        signed = [hmac.digest(b"another", body, "sha256").hex() for body in bodies]
        given = [received.headers["X-Signature"] for received in scene.shop.received]
        assert len(made) == 4
        assert given[:3] == signed[:3]
        assert given[3] != signed[3]


def test_a_session_that_was_not_over_keeps_the_time_it_had_left(scene: Scene) -> None:
    """However long ago its story was told."""
    scene.sim.clock.step(600)
    story = as_json(scene.sim, scene.session)
    scene.sim.clock.step(86400)
    with Simulator(time_scale=0) as other:
        other.clock.set(scene.sim.clock.now())
        load(other, story)
        left = other.sessions[scene.session.id].expires_at - other.clock.now()

    assert left == timedelta(seconds=300)


def test_a_story_comes_as_a_file(sim: Simulator, api: Bare, session: PaymentSession) -> None:
    """Under a name that says what is in it."""
    sim.pay(session.id)
    answer = api.get(f"/_simulator/sessions/{session.id}/story.json")

    assert answer.json["sessions"][0]["id"] == session.id
    assert answer.headers["Content-Disposition"].endswith(f"spayon-{session.id[:8]}.json")
    assert api.post("/_simulator/load", {"story": answer.json}).json["numbers"]


def test_the_http_archive_holds_every_exchange_in_its_order(scene: Scene) -> None:
    """Calls and attempts, with the exact bytes, and no token."""
    story_of(scene.sim, scene.shop, scene.session)
    entries = as_har(scene.sim, scene.session)["log"]["entries"]

    assert [entry["response"]["status"] for entry in entries] == [200, 500, 500, 200, 200]
    assert entries[1]["request"]["postData"]["text"].encode() == scene.shop.received[0].body
    assert "retry 3 of 3" in entries[1]["comment"]
    headers = entries[0]["request"]["headers"]
    assert {"name": "Authorization", "value": "Bearer (hidden)"} in headers
    assert "X-Signature" in [each["name"] for each in entries[1]["request"]["headers"]]
    assert "Content-Length" in [each["name"] for each in entries[3]["response"]["headers"]]


def test_clear_is_a_fresh_start(sim: Simulator, api: Bare, shop: Shop) -> None:
    """Also what was to come; what was chosen; what is held; and the ids of the seed."""
    told = []
    for _ in range(2):
        api.log_in()
        shop.code = 500
        created = api.create(callback_url=shop.url, order_id="A")
        sim.pay(created.json["session_id"])
        sim.hold_callbacks()
        sim.fault("html", chance=0.5)
        sim.shape.change(attempts=1, price="padded")
        sim.clock.scale = 60
        sim.clock.step(100)
        token = api.token
        answer = api.post("/_simulator/clear", {})
        told.append((answer.code, created.json["session_id"], token, len(shop.received)))
        left = [*sim.sessions, *sim.requests, *sim.deliveries, *sim.faults, *sim.courier.held]

        assert left == []
        assert (sim.clock.scale, sim.courier.holding, sim.shape.differences()) == (0, False, {})
        assert abs(sim.clock.ahead.total_seconds()) < 60
        assert api.create().code == 401
        sim.clock.step(3600)

    assert [(code, number) for code, _, _, number in told] == [(200, 1), (200, 2)]
    assert told[0][1] == told[1][1]


def test_the_clock_goes_back_to_now(sim: Simulator, api: Bare) -> None:
    """And the page says how far ahead it is until then."""
    # As time goes on, the lead becomes smaller.
    sim.clock.step(3630)
    assert re.search(r"1:00:\d\d ahead", api.get("/_simulator/").text)

    api.post("/_simulator/clock", {"back": True})
    assert abs(sim.clock.ahead) < timedelta(seconds=2)


@pytest.mark.parametrize("words", ["a-1", "COFF", "1000", "1,000 amd", "{id}", "{tail}", "pending"])
def test_a_session_is_found_by_any_part_of_what_the_page_shows(scene: Scene, words: str) -> None:
    """The eight characters of its id among them."""
    scene.api.create(order_id="B-2", product_name="Tea", price=7)
    words = words.format(id=scene.session.id[:8].upper(), tail=scene.session.id[-8:])
    found = scene.api.get(f"/_simulator/sessions.json?q={words.replace(' ', '%20')}").json[
        "sessions"
    ]

    assert scene.session.id in [each["id"] for each in found]
    assert words == "pending" or len(found) == 1


def test_requests_and_callbacks_can_be_filtered(scene: Scene) -> None:
    """By kind, status and session."""
    scene.api.status(scene.session.id)
    scene.api.status("unknown")
    scene.pay()
    scene.sim.deliver(scene.session.id, damaged=True)

    def numbers(path: str) -> list[int]:
        answer = scene.api.get(f"/_simulator/{path}").json
        return [each["number"] for each in answer.get("requests", answer.get("deliveries"))]

    assert numbers("requests.json?kind=status") == [4, 3]
    assert numbers("requests.json?kind=status&code=404") == [4]
    assert numbers(f"requests.json?session={scene.session.id[:8]}") == [3, 2]
    assert numbers("requests.json?q=unknown") == [4]
    assert numbers("deliveries.json?kind=forged") == [2]
    assert numbers("deliveries.json?q=coffee") == [2, 1]
    assert numbers("deliveries.json?q=tea") == []
    assert numbers("deliveries.json?answer=bad") == [2]
    assert numbers("deliveries.json?status=failed") == []
    assert numbers(f"deliveries.json?session={scene.session.id[:8]}") == [2, 1]
    assert "No callback is like that" in scene.api.get("/_simulator/deliveries?status=failed").text
    assert "Nothing found" in scene.api.get("/_simulator/?q=tea").text


def test_long_lists_have_pages(sim: Simulator, api: Bare, session: PaymentSession) -> None:
    """Of fifty, newest first, and the filter goes along; a senseless page is the first one."""
    for number in range(51):
        api.status(api.create(order_id=f"B-{number}").json["session_id"])

    sim.deliver(session.id, times=51)
    for name, items in (
        ("sessions.json?q=B-", "sessions"),
        ("requests.json?kind=status", "requests"),
        ("deliveries.json?status=pending", "deliveries"),
    ):
        page = f"/_simulator/{name.replace('.json', '').replace('sessions', '')}"
        assert f"{page}&amp;page=1" in api.get(page).text
        first, second, *others = (
            api.get(f"/_simulator/{name}&page={n}").json[items] for n in (0, 1, -1, "last")
        )
        assert (len(first), len(second), *others) == (50, 1, first, first)


def test_what_a_page_shows_a_program_can_have(scene: Scene) -> None:
    """As JSON, at the same path."""
    delivery = scene.pay()
    assert isinstance(delivery, Delivery)
    scene.sim.fault("html", order="Z")
    told = scene.api.get("/_simulator/deliveries/1.json").json

    assert told["body"].encode() == delivery.body
    assert (told["origin"], told["outcome"]) == ("first", "200")
    assert told["curl"].startswith("curl ")
    assert scene.api.get("/_simulator/requests/2.json").json["status_code"] == 200
    assert scene.api.get("/_simulator/faults.json").json["faults"][0]["order"] == "Z"
    assert scene.api.get("/_simulator/setup.json").json["shape"]["attempts"] == 3
