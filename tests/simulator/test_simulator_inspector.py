"""The inspector's pages, without a browser."""

import re

import pytest

from spayon_flask.simulator import PaymentSession, Simulator
from tests.simulator.bare import Bare
from tests.simulator.scene import Scene


def text(page: str) -> str:
    """Return the words of a page, without its markup."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_the_front_door_leads_to_the_inspector(stranger: Bare) -> None:
    """Because the address alone is what people type. An empty list says how to begin."""
    answer = stranger.get("/")
    assert (answer.code, answer.headers["Location"]) == (302, "/_simulator/")

    page = stranger.get("/_simulator/")
    policy = page.headers["Content-Security-Policy"]
    assert "No payment session yet" in page.text
    assert "default-src 'none'" in policy
    assert "form-action 'self'" in policy
    assert "unsafe" not in policy


def test_every_page_says_that_no_money_moves(api: Bare, session: PaymentSession) -> None:
    """Plainly."""
    for path in ("", f"sessions/{session.id}", "requests", "deliveries", "faults", "setup"):
        assert "No money moves" in api.get(f"/_simulator/{path}").text


def test_sessions_are_listed_with_what_came_of_their_callbacks(scene: Scene) -> None:
    """Newest first."""
    scene.shop.code = 500
    scene.pay()
    scene.sim.clock.step(300)
    words = text(scene.api.get("/_simulator/").text)

    assert "paid 500, 500, again at" in words
    assert "A-1 Coffee 1,000 AMD" in words


def test_a_timeline_tells_the_whole_story(scene: Scene) -> None:
    """Attempts of the payer, calls of the shop, and callbacks, in their order."""
    scene.sim.attempt(scene.session.id, scene.sim.card("05"))
    scene.sim.clock.step(1)
    scene.api.status(scene.session.id)
    scene.sim.clock.step(1)
    scene.shop.code = 404
    scene.pay()
    words = text(scene.api.get(f"/_simulator/sessions/{scene.session.id}").text)

    story = [
        "Created",
        "Declined: 05, Do not honor",
        "GET /api/product/session/{session_id} → 200",
        "Paid",
        "Callback paid → 404",
        "Is the blueprint registered under the prefix in this URL?",
    ]
    places = [words.index(part, words.index("Timeline")) for part in story]
    assert places == sorted(places)


def test_a_delivery_is_shown_with_its_exact_bytes_and_signature(scene: Scene) -> None:
    """As they were received."""
    scene.pay()
    page = scene.api.get("/_simulator/deliveries/1").text

    (received,) = scene.shop.received
    assert received.body.decode().replace('"', "&#34;") in page
    assert received.headers["X-Signature"] in page


def test_a_forgery_is_refused_or_the_page_warns(scene: Scene) -> None:
    """A shop that answers a forgery with 200 does not check signatures."""
    scene.sim.deliver(scene.session.id, signed=False)
    scene.shop.code = 401
    scene.sim.deliver(scene.session.id, damaged=True)

    taken, refused = (text(scene.api.get(f"/_simulator/deliveries/{n}").text) for n in (1, 2))
    assert "The shop took it although it was not signed: it must not." in taken
    assert "As it should be: one byte was changed, and the shop noticed." in refused


@pytest.mark.parametrize("path", ["sessions/x", "requests/7", "deliveries/7", "nothing"])
def test_what_is_forgotten_is_a_page_with_404(stranger: Bare, path: str) -> None:
    """For a person; for a program it is JSON."""
    page = stranger.get(f"/_simulator/{path}", Accept="text/html")

    assert page.code == 404
    assert "To the inspector" in page.text
    assert stranger.get(f"/_simulator/{path}").json["error"]


def test_what_a_shop_sends_is_shown_as_text(sim: Simulator, api: Bare) -> None:
    """Never as markup, on any page."""
    evil = "<script>alert(1)</script>"
    session_id = api.create(product_name=evil, order_id=evil, email=evil).json["session_id"]
    pages = ["", f"sessions/{session_id}", "requests", "requests/2", f"../pay/{session_id}"]

    assert not any("<script>alert" in api.get(f"/_simulator/{page}").text for page in pages)
