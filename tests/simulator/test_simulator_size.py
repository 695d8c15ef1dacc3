"""Many sessions do not slow the simulator down, and what it remembers has an end."""

import time
from collections.abc import Mapping
from dataclasses import replace

import pytest

from spayon_flask.simulator import Simulator, deliveries, log, sessions
from spayon_flask.simulator.transport import Answer
from tests.simulator.bare import CREATION


def accept(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """Be a shop that answers at once."""
    return Answer(200)


def pay_many(sim: Simulator, count: int) -> float:
    """Create and pay *count* sessions; return how many seconds it took."""
    start = time.process_time()
    for _ in range(count):
        sim.pay(sim.create(CREATION).id)

    return time.process_time() - start


def test_a_page_of_the_inspector_has_the_same_size_with_a_thousand_sessions() -> None:
    """It shows fifty of them."""
    sim = Simulator(transport=accept)
    client = sim.app.test_client()
    pay_many(sim, 60)
    small = len(client.get("/_simulator/").data)
    pay_many(sim, 1000)
    large = len(client.get("/_simulator/").data)

    assert large < 1.1 * small


def test_memory_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is forgotten first; counts go on."""
    monkeypatch.setattr(deliveries, "KEPT", 10)
    sim = Simulator(transport=accept)
    first = sim.create(CREATION).id
    pay_many(sim, deliveries.KEPT + 1)

    assert len(list(sim.deliveries)) == deliveries.KEPT
    assert sim.deliveries.made == deliveries.KEPT + 1
    assert first in sim.sessions


def test_the_oldest_session_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in the list of its order."""
    monkeypatch.setattr(sessions, "KEPT", 2)
    sim = Simulator()
    ids = [sim.create(replace(CREATION, order_id="A")).id for _ in range(3)]

    assert [session.id for session in sim.sessions] == ids[1:]
    assert [session.id for session in sim.sessions.of_order("A")] == ids[1:]


def test_some_requests_are_remembered_and_all_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A test can count what the page no longer shows."""
    monkeypatch.setattr(log, "REQUESTS_KEPT", 10)
    sim = Simulator()
    client = sim.app.test_client()
    for _ in range(log.REQUESTS_KEPT + 1):
        client.post("/api/tokens", json={})

    assert len(list(sim.requests)) == log.REQUESTS_KEPT
    assert sim.requests.count("POST /api/tokens") == log.REQUESTS_KEPT + 1
