"""The payer's way over the hosted page and back, without a browser."""

from urllib.parse import urlencode

import pytest

from spayon_flask.simulator import PaymentSession
from spayon_flask.simulator import Simulator

from .bare import Answer
from .bare import Bare
from .shop import Shop


def pay(api: Bare, session: PaymentSession, **fields: str) -> Answer:
    """Submit the form of the hosted page."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return api.ask("POST", f"/pay/{session.id}", urlencode(fields), headers)


def test_the_page_says_what_is_paid_and_that_no_money_moves(
    api: Bare, session: PaymentSession
) -> None:
    """In the language of the session."""
    page = api.get(f"/pay/{session.id}").text

    assert "Coffee" in page
    assert "1,000" in page
    assert "no money moves" in page


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("ru", "деньги не списываются"),
        ("hy", "գումար չի գանձվում"),
        ("hy-AM", "գումար չի գանձվում"),
        ("fr", "no money moves"),
    ],
)
def test_the_page_speaks_the_language_of_the_session(api: Bare, language: str, words: str) -> None:
    """And English if it does not know the language."""
    created = api.create(language=language).json

    assert words in api.get(f"/pay/{created['session_id']}").text


def test_an_approved_card_pays_and_leads_back(
    sim: Simulator, api: Bare, shop: Shop, session: PaymentSession
) -> None:
    """To return_url, whose query gains the session_id."""
    answer = pay(api, session, number="4111 1111 1111 1111")

    assert answer.code == 303
    assert answer.headers["Location"] == f"{shop.url}/pay/return?lang=hy&session_id={session.id}"
    assert session.status == "paid"


@pytest.mark.parametrize(
    ("return_url", "location"),
    [
        ("https://a.example/x", "https://a.example/x?session_id={}"),
        ("https://a.example", "https://a.example?session_id={}"),
        ("https://a.example/x?a=b%20c", "https://a.example/x?a=b%20c&session_id={}"),
        ("https://a.example/x?a=1#part", "https://a.example/x?a=1&session_id={}#part"),
    ],
)
def test_the_session_id_joins_any_return_url(
    sim: Simulator, api: Bare, return_url: str, location: str
) -> None:
    """Whatever it holds already stays as it is."""
    session = sim.sessions[api.create(return_url=return_url).json["session_id"]]
    answer = pay(api, session, number="4111111111111111")

    assert answer.headers["Location"] == location.format(session.id)


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
def test_a_declined_card_leads_to_another_try(
    api: Bare, session: PaymentSession, number: str, words: str
) -> None:
    """The page says why, and the session stays payable."""
    answer = pay(api, session, number=number)
    page = api.get(answer.headers["Location"]).text

    assert answer.code == 303
    assert words in page
    assert session.status == "pending"


def test_back_leads_to_cancel_url_and_ends_nothing(
    api: Bare, shop: Shop, session: PaymentSession
) -> None:
    """The session stays payable for the rest of its 15 minutes."""
    page = api.get(f"/pay/{session.id}").text

    assert f'href="{shop.url}/pay/cancel/abc"' in page
    assert session.status == "pending"


def test_a_payer_who_gives_up_fails_the_session(
    sim: Simulator, api: Bare, shop: Shop, session: PaymentSession
) -> None:
    """And comes back to the shop with the reasons reported."""
    pay(api, session, number="4000 0000 0000 0002")
    answer = pay(api, session, give_up="1")
    sim.settle()

    assert answer.headers["Location"].startswith(f"{shop.url}/pay/return")
    assert b'"responseCode":"05"' in shop.received[0].body


def test_a_second_click_changes_nothing(
    sim: Simulator, api: Bare, shop: Shop, session: PaymentSession
) -> None:
    """The payer is sent back just the same."""
    first = pay(api, session, number="4111 1111 1111 1111")
    second = pay(api, session, number="4000 0000 0000 0002")
    sim.settle()

    assert first.headers["Location"] == second.headers["Location"]
    assert session.status == "paid"
    assert len(shop.received) == 1


def test_a_session_that_is_over_takes_no_card(
    sim: Simulator, api: Bare, session: PaymentSession
) -> None:
    """The page says how it ended and leads back."""
    sim.expire(session.id)
    page = api.get(f"/pay/{session.id}").text

    assert "The time to pay has run out" in page
    assert "<form" not in page


def test_the_page_leads_a_developer_to_the_inspector(api: Bare, session: PaymentSession) -> None:
    """To the session's own page there."""
    assert f'href="/_simulator/sessions/{session.id}"' in api.get(f"/pay/{session.id}").text


def test_an_unknown_payment_is_a_page_with_404(api: Bare) -> None:
    """A payer reads it, not a program."""
    answer = api.get("/pay/unknown")

    assert answer.code == 404
    assert "There is no such payment" in answer.text


def test_what_a_shop_sends_is_shown_as_text(api: Bare) -> None:
    """Never as markup."""
    created = api.create(product_name="<script>alert(1)</script>").json
    page = api.get(f"/pay/{created['session_id']}").text

    assert "<script>alert" not in page


def test_the_page_allows_no_foreign_code(api: Bare, session: PaymentSession) -> None:
    """By its Content-Security-Policy, and it holds nothing inline."""
    answer = api.get(f"/pay/{session.id}")

    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert "style=" not in answer.text


def test_another_web_site_cannot_pay(api: Bare, session: PaymentSession) -> None:
    """Its name is in the Origin header."""
    headers = {"Origin": "https://evil.example"}
    answer = api.ask("POST", f"/pay/{session.id}", "number=4111", headers)

    assert answer.code == 403
    assert session.status == "pending"


def test_a_rebound_name_opens_nothing(api: Bare, session: PaymentSession) -> None:
    """The Host header names a web site, not this machine."""
    assert api.ask("GET", f"/pay/{session.id}", headers={"Host": "evil.example"}).code == 403
