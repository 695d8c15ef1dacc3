"""`python demo_app.py`: what it says, and that Ctrl-C leaves nothing behind."""

import signal
import socket
from pathlib import Path

import pytest
import requests

from demo_app import simulator_url
from spayon_flask.simulator import Simulator
from tests.demo.served import started

pytestmark = pytest.mark.thorough


def listens(url: str) -> bool:
    """Return True if anybody listens at *url*."""
    host, port = url.removeprefix("http://").split(":")

    with socket.socket() as asking:
        return asking.connect_ex((host, int(port))) == 0


def test_it_opens_the_store_beside_a_simulator(tmp_path: Path) -> None:
    with started(tmp_path) as demo:
        assert "Maran" in requests.get(demo.store, timeout=60).text
        assert demo.simulator in requests.get(f"{demo.store}/behind-the-scenes", timeout=60).text
        assert listens(demo.simulator)
        assert (tmp_path / "instance" / "demo.db").exists()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly_and_takes_the_simulator_along(tmp_path: Path, how: signal.Signals) -> None:
    with started(tmp_path) as demo:
        assert "The store is closed." in demo.stop(how)
        assert demo.process.returncode == 0
        assert not listens(demo.store)
        assert not listens(demo.simulator)
        assert "Traceback" not in (tmp_path / "log").read_text()


def test_a_port_that_is_taken_is_said_and_another_one_found(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        with started(tmp_path, "--port", port) as demo:
            assert f"Port {port} is taken" in demo.printed
            assert f":{port}" not in demo.store
            assert requests.get(demo.store, timeout=60).ok


def test_a_second_store_pays_at_the_simulator_that_runs_already() -> None:
    with Simulator() as simulator:
        assert simulator_url(simulator.port) == simulator.url


def test_a_stranger_on_the_simulators_port_is_not_taken_for_one(tmp_path: Path) -> None:
    with started(tmp_path) as other:
        port = int(other.store.rsplit(":", 1)[1])

        with started(tmp_path / "second", simulator_port=port) as demo:
            assert demo.simulator != other.store
            assert listens(demo.simulator)
