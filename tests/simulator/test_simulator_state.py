"""The state file: everything survives a restart."""

import errno
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from spayon_flask.simulator import Simulator, state
from tests.simulator.bare import Bare
from tests.simulator.shop import Shop
from tests.waiting import wait_until


@contextmanager
def running(path: Path) -> Iterator[tuple[Simulator, Bare]]:
    """Run a simulator with its state in *path*, and a client with a token."""
    with Simulator(time_scale=0, seed=3, state=path) as sim:
        client = Bare(sim.url)
        client.log_in()
        yield sim, client
        client.close()


def snapshot(sim: Simulator) -> dict[str, Any]:
    """Return all that *sim* would save."""
    whole: dict[str, Any] = {"sessions": [], "deliveries": [], "requests": []}
    for part in state.parts(sim):
        for name, value in part.items():
            whole[name] = [*whole[name], *value] if name in state.LISTS else value

    return whole


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a state file that is not there yet."""
    return tmp_path / "simulator.json"


def test_everything_is_there_again_after_a_restart(path: Path, shop: Shop) -> None:
    """Sessions, declines, deliveries, requests, tokens and the shape of answers."""
    with running(path) as (sim, api):
        sim.shape.change(price="padded")
        created = api.create(callback_url=shop.url, order_id="A", language="hy").json
        session_id = created["session_id"]
        sim.attempt(session_id, sim.card("05"))
        sim.decline(session_id, "1A")
        api.create()
        before, token = snapshot(sim), api.token

    with Simulator(time_scale=0, seed=3, state=path) as sim:
        after = snapshot(sim)
        api = Bare(sim.url)
        api.token = token
        assert api.status(session_id).json["status"] == "failed"
        api.close()

    assert after["now"] >= before["now"]
    assert {**after, "now": None} == {**before, "now": None}


def test_what_was_to_come_comes_after_a_restart(path: Path, shop: Shop) -> None:
    """The attempts that are left, the end of a session in its own time, and what is held."""
    shop.code = 500
    with running(path) as (sim, api):
        sim.pay(api.create(callback_url=shop.url).json["session_id"])
        pending = api.create().json["session_id"]
        sim.clock.step(200)
        sim.hold_callbacks()
        sim.pay(api.create(callback_url=shop.url).json["session_id"])

    with running(path) as (sim, _):
        assert len(shop.received) == 1
        sim.clock.step(699)
        assert (sim.sessions[pending].status, len(shop.received)) == ("pending", 3)
        sim.clock.step(1)
        assert sim.sessions[pending].status == "expired"
        sim.release()

    assert len(shop.received) == 4
    assert len({received.body for received in shop.received[:3]}) == 1


def test_ids_and_numbers_do_not_repeat_after_a_restart(path: Path, shop: Shop) -> None:
    """Although the seed begins anew."""
    ids, numbers = set(), []
    for _ in range(2):
        with running(path) as (sim, api):
            ids.add(api.create(callback_url=shop.url).json["session_id"])
            (delivery,) = sim.deliver(max(ids, key=lambda key: sim.sessions[key].created_at))
            numbers.append(delivery.number)

    assert len(ids) == 2
    assert numbers == [1, 2]


def test_the_file_is_one_that_nobody_else_reads_and_without_secrets(path: Path) -> None:
    """It is written elsewhere first, and put in its place whole; payers' names are in it."""
    with running(path):
        pass

    text = path.read_text()
    assert {each.name for each in path.parent.iterdir()} == {path.name, f"{path.name}.lock"}
    assert json.loads(text.splitlines()[0])["tokens"]
    assert path.stat().st_mode & 0o077 == 0
    assert "simulator-secret" not in text
    assert "simulator-callback-secret" not in text


def saved(path: Path) -> Simulator:
    """Return a simulator that has read a copy of *path*, as after a kill."""
    copy = path.with_name("copy.json")
    copy.write_bytes(path.read_bytes())
    sim = Simulator(time_scale=0)
    state.load_file(sim, copy)
    return sim


def test_what_happens_is_in_the_file_at_once(path: Path, shop: Shop) -> None:
    """Without an orderly end."""
    with running(path) as (sim, api):
        session_id = api.create(callback_url=shop.url, order_id="A").json["session_id"]
        sim.pay(session_id)
        wait_until(lambda: bool(list(saved(path).deliveries)))
        after = saved(path)

    assert after.sessions[session_id].status == "paid"
    assert [delivery.status_code for delivery in after.deliveries] == [200]
    assert len(list(after.requests)) == 2


def test_a_line_that_a_kill_has_cut_off_is_left_out(path: Path) -> None:
    """And the lines before it count."""
    with running(path) as (_, api):
        api.create(order_id="A")

    with path.open("a") as file:
        file.write('{"sessions": [{"id": "half')

    assert [session.order_id for session in saved(path).sessions] == ["A"]


def test_what_was_cleared_stays_away(path: Path) -> None:
    """Also if the file was never written anew since."""
    with running(path) as (sim, api):
        api.create(order_id="A")
        wait_until(lambda: bool(list(saved(path).sessions)))
        sim.clear()
        api.log_in()
        api.create(order_id="B")
        wait_until(lambda: [each.order_id for each in saved(path).sessions] == ["B"])


def test_the_file_is_written_anew_before_it_grows_too_long(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing is lost by it."""
    monkeypatch.setattr(state, "GROWTH", 1000)
    with running(path) as (_, api):
        for number in range(10):
            api.create(order_id=f"A-{number}")
            wait_until(lambda wanted=number + 1: len(saved(path).sessions) == wanted)  # type: ignore[misc]  # its default

        lines = path.read_text().splitlines()

    assert len(lines) < 10


def test_a_file_that_cannot_be_the_state_is_left_alone_and_said_at_once(path: Path) -> None:
    """Not when the simulator ends and everything is lost. A file without content is a new one."""
    for text in ("nonsense", "[]", "{}", '{"now": "soon"}'):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"simulator\.json holds no state"):
            Simulator(state=path).start()

        assert path.read_text() == text

    path.write_text("")
    with running(path), pytest.raises(ValueError, match="in use by another simulator"):
        Simulator(state=path).start()

    for wrong, said in (
        (path.parent, "is a folder"),
        (path / "x" / "state.json", "cannot be written"),
        (Path("/proc/simulator.json"), "cannot be written"),
    ):
        with pytest.raises(ValueError, match=said):
            Simulator(state=wrong).start()


def test_a_file_that_is_mounted_is_written_in_place(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container's file cannot be replaced by another."""

    def busy(*_: object) -> None:
        raise OSError(errno.EBUSY, "busy")

    path.touch()
    monkeypatch.setattr(Path, "replace", busy)
    with running(path) as (_, api):
        api.create(order_id="A")

    assert [session.order_id for session in saved(path).sessions] == ["A"]
    assert sorted(each.name for each in path.parent.iterdir() if each != path) == [
        "copy.json",
        "simulator.json.lock",
    ]


def test_a_simulator_that_was_stopped_can_be_started_again(path: Path, shop: Shop) -> None:
    """It knows what it knew, tells shops of payments, and saves."""
    sim = Simulator(state=path)
    for number in (1, 2):
        with sim:
            api = Bare(sim.url)
            api.log_in()
            sim.pay(api.create(callback_url=shop.url).json["session_id"])
            api.close()
            assert (len(sim.sessions), len(shop.received)) == (number, number)

    assert len(saved(path).sessions) == 2


def test_a_disk_that_fails_stops_nothing(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the simulator ends as it should."""
    with running(path):
        path.parent.rename(path.parent.with_name("moved"))

    assert "could not save its state" in caplog.text
