"""What is remembered of requests, and what is not."""

import pytest

from spayon_flask.simulator import Simulator
from spayon_flask.simulator.log import TEXT_KEPT, RequestLog
from tests.simulator.bare import Bare

TOKENS = "POST /api/tokens"
SESSIONS = "POST /api/product/session"


@pytest.fixture
def requests() -> RequestLog:
    """Return an empty history of a gateway with one secret."""
    return RequestLog(lambda: ("hush-hush",))


def test_a_secret_is_hidden_whatever_it_is_written_in(requests: RequestLog) -> None:
    """JSON, a form, a query, headers, and a token that stands alone."""
    jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln"
    for text in (
        '{"client_secret": "hush-hush"}',
        '{"client_secret":"another"}',
        '{"secret": "another"}',
        '{"clientSecret": "another", "accessToken": "another"}',
        '{"client_secret": "with \\"hush\\" inside"}',
        '{"client_secret": "cut off',
        '{"access_token": "a.b.c"}',
        "Bearer a.b.c",
        "bearer   a.b.c",
        "Basic YW5vdGhlcg==",
        "secret=hush-hush",
        "client_id=shop&client_secret=another&x=1",
        "/api/tokens?client_secret=another",
        f"token {jwt}",
    ):
        hidden = requests.hide(text)
        assert "(hidden)" in hidden, text
        for secret in ("hush", "another", "a.b.c", "cut off", jwt, "YW5v"):
            assert secret not in hidden

    sent = {"Authorization": "Basic YW5v", "Cookie": "a=YW5v", "X-Api-Key": "YW5v", "Accept": "x"}
    shown = dict(requests.hide_headers(sent.items()))
    assert shown == {
        "Authorization": "Basic (hidden)",
        "Cookie": "(hidden)",
        "X-Api-Key": "(hidden)",
        "Accept": "x",
    }
    assert dict(requests.hide_headers([("Authorization", jwt)])) == {"Authorization": "(hidden)"}


def test_the_rest_is_shown(requests: RequestLog) -> None:
    """Also what stands beside a secret."""
    text = '{"client_id": "shop", "client_secret": "x", "expires_in": 3600}'

    assert requests.hide(text) == text.replace('"x"', '"(hidden)"')


def test_a_long_text_is_cut(requests: RequestLog) -> None:
    """Memory has an end."""
    assert len(requests.hide("x" * 10_000)) == TEXT_KEPT + len("...")


def test_calls_and_connections_are_counted(sim: Simulator, api: Bare) -> None:
    """Whatever came of them; counting can begin anew, as when a test's own part begins."""
    api.create()
    api.create(price=0)

    assert sim.requests.counts == {TOKENS: 1, SESSIONS: 2}
    assert sim.requests.count() == 3
    assert sim.requests.count("GET /api/product/session/{session_id}") == 0
    assert sim.requests.connections == 1

    sim.requests.reset()
    api.close()
    api.create()
    assert sim.requests.counts == {SESSIONS: 1}
    assert [call.endpoint for call in sim.requests] == [SESSIONS]
    assert sim.requests.connections == 2


def test_what_was_remembered_shows_no_secret() -> None:
    """Neither to the program that started the simulator, nor on its pages."""
    with Simulator(client_secret="own-1", callback_secret="own-2") as sim:
        api = Bare(sim.url)
        api.log_in(client_secret="own-1")
        api.create()
        pages = ("setup", "requests", "requests/1", "requests/2")
        shown = repr(list(sim.requests)) + "".join(api.get(f"/_simulator/{p}").text for p in pages)
        api.close()

    assert [text for text in ("own-1", "own-2", str(api.token)) if text in shown] == []
    assert "Bearer (hidden)" in shown
