"""The payer's way over the hosted page and back, without a browser."""

from urllib.parse import urlencode

import pytest

from spayon_flask.simulator import PaymentSession, Simulator
from tests.simulator.bare import Answer, Bare
from tests.simulator.scene import Scene


def pay(api: Bare, session: PaymentSession, **fields: str) -> Answer:
    """Submit the form of the hosted page."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return api.ask("POST", f"/pay/{session.id}", urlencode(fields), headers)


def test_the_page_says_what_is_paid_and_leads_away(scene: Scene) -> None:
    """Back to the shop, which ends nothing; to the inspector; and by itself nowhere."""
    answer = scene.api.get(f"/pay/{scene.session.id}")
    policy = answer.headers["Content-Security-Policy"]

    for words in ("Coffee", "1,000", "no money moves", f'href="{scene.shop.url}/pay/cancel/abc"'):
        assert words in answer.text

    assert f'href="/_simulator/sessions/{scene.session.id}"' in answer.text
    assert scene.session.status == "pending"
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "style=" not in answer.text

    scene.sim.expire(scene.session.id)
    page = scene.api.get(f"/pay/{scene.session.id}").text
    assert "The time to pay has run out" in page
    assert "<form" not in page


def test_an_unknown_payment_is_a_page_for_a_payer(api: Bare) -> None:
    """With 404."""
    answer = api.get("/pay/unknown")

    assert answer.code == 404
    assert "There is no such payment" in answer.text


@pytest.mark.parametrize(("language", "words"), [("ru", "деньги"), ("hy", "գումար")])
def test_the_page_speaks_the_language_of_the_session(api: Bare, language: str, words: str) -> None:
    """As the shop has said when it was created."""
    created = api.create(language=language).json

    assert words in api.get(f"/pay/{created['session_id']}").text


@pytest.mark.parametrize(
    ("return_url", "location"),
    [
        ("https://a.example/x", "https://a.example/x?session_id={}"),
        ("https://a.example", "https://a.example?session_id={}"),
        ("https://a.example/x?a=b%20c", "https://a.example/x?a=b%20c&session_id={}"),
        ("https://a.example/x?a=1#part", "https://a.example/x?a=1&session_id={}#part"),
    ],
)
def test_an_approved_card_pays_and_leads_back_to_any_return_url(
    sim: Simulator, api: Bare, return_url: str, location: str
) -> None:
    """Whatever that holds already stays as it is, and its query gains the session_id."""
    session = sim.sessions[api.create(return_url=return_url).json["session_id"]]
    answer = pay(api, session, number="4111 1111 1111 1111")

    assert answer.code == 303
    assert answer.headers["Location"] == location.format(session.id)
    assert session.status == "paid"


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("4000 0000 0000 0002", "gave no reason"),
        ("4000 0000 0000 0069", "the expiry date or the CVV is wrong"),
        ("4000 0000 0000 3220", "3-D Secure check failed"),
        ("4000 0000 0000 4954", "SP-07"),
        ("4000 0000 0000 9995", "not enough money"),
        ("1234", "the expiry date or the CVV is wrong"),
    ],
)
def test_a_declined_card_leads_to_another_try(scene: Scene, number: str, words: str) -> None:
    """The page says why, and the session stays payable."""
    answer = pay(scene.api, scene.session, number=number)
    page = scene.api.get(answer.headers["Location"]).text

    assert answer.code == 303
    assert words in page
    assert scene.session.status == "pending"


def test_a_payer_who_gives_up_fails_the_session(scene: Scene) -> None:
    """And comes back to the shop with the reasons reported."""
    pay(scene.api, scene.session, number="4000 0000 0000 0002")
    answer = pay(scene.api, scene.session, give_up="1")
    scene.sim.settle()

    assert answer.headers["Location"].startswith(f"{scene.shop.url}/pay/return")
    assert b'"responseCode":"05"' in scene.shop.received[0].body


def test_a_second_click_changes_nothing(scene: Scene) -> None:
    """The payer is sent back just the same."""
    first = pay(scene.api, scene.session, number="4111 1111 1111 1111")
    second = pay(scene.api, scene.session, number="4000 0000 0000 0002")
    scene.sim.settle()

    assert first.headers["Location"] == second.headers["Location"]
    assert scene.session.status == "paid"
    assert len(scene.shop.received) == 1


def test_another_web_site_cannot_pay(api: Bare, session: PaymentSession) -> None:
    """Its name is in the Origin header."""
    headers = {"Origin": "https://evil.example"}
    answer = api.ask("POST", f"/pay/{session.id}", "number=4111", headers)

    assert answer.code == 403
    assert session.status == "pending"
