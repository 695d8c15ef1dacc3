"""What is remembered of requests, and what is not."""

import pytest

from spayon_flask.simulator import Simulator
from spayon_flask.simulator.log import TEXT_KEPT
from spayon_flask.simulator.log import RequestLog

from .bare import Bare


TOKENS = "POST /api/tokens"
SESSIONS = "POST /api/product/session"


@pytest.fixture
def requests() -> RequestLog:
    """Return an empty history of a gateway with one secret."""
    return RequestLog(lambda: ("hush-hush",))


@pytest.mark.parametrize(
    "text",
    [
        '{"client_secret": "hush-hush"}',
        '{"client_secret":"another"}',
        '{"client_secret": "with \\"hush\\" inside"}',
        '{"client_secret": "cut off',
        '{"access_token": "a.b.c"}',
        "Bearer a.b.c",
        "bearer   a.b.c",
        "secret=hush-hush",
    ],
)
def test_a_secret_is_hidden(requests: RequestLog, text: str) -> None:
    """Whatever it is written in."""
    hidden = requests.hide(text)

    assert "(hidden)" in hidden
    assert not any(secret in hidden for secret in ("hush", "another", "a.b.c", "cut off"))


def test_the_rest_is_shown(requests: RequestLog) -> None:
    """Also what stands beside a secret."""
    text = '{"client_id": "shop", "client_secret": "x", "expires_in": 3600}'

    assert requests.hide(text) == text.replace('"x"', '"(hidden)"')


def test_a_long_text_is_cut(requests: RequestLog) -> None:
    """Memory has an end."""
    assert len(requests.hide("x" * 10_000)) == TEXT_KEPT + len("...")


def test_calls_are_counted_by_endpoint(sim: Simulator, api: Bare) -> None:
    """Whatever came of them."""
    api.create()
    api.create(price=0)

    assert sim.requests.counts == {TOKENS: 1, SESSIONS: 2}
    assert sim.requests.count() == 3
    assert sim.requests.count("GET /api/product/session/{session_id}") == 0


def test_counting_can_begin_anew(sim: Simulator, api: Bare) -> None:
    """As when a test's own part begins."""
    sim.requests.reset()
    api.create()

    assert sim.requests.counts == {SESSIONS: 1}
    assert [call.endpoint for call in sim.requests] == [SESSIONS]


def test_connections_are_counted(sim: Simulator, api: Bare) -> None:
    """A client that keeps one open has one."""
    api.create()
    assert sim.requests.connections == 1

    api.close()
    api.create()
    assert sim.requests.connections == 2


def test_what_was_remembered_shows_no_secret(sim: Simulator, api: Bare) -> None:
    """Not even to the program that started the simulator."""
    api.create()

    shown = repr(list(sim.requests))
    assert "simulator-secret" not in shown
    assert str(api.token) not in shown
