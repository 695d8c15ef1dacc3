"""`python -m spayon_flask.simulator`, as a program of its own, and how it ends."""

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import spayon_flask.simulator
from spayon_flask.simulator import Simulator
from spayon_flask.simulator.__main__ import main
from spayon_flask.simulator.creation import Creation
from spayon_flask.simulator.server import Server
from spayon_flask.simulator.story import as_json
from tests.simulator.bare import Bare
from tests.simulator.scene import Scene
from tests.simulator.shop import Shop

#: Starts the simulator where only Flask and what Flask brings can be imported.
ONLY_FLASK = """
import sys, urllib.request

class Refuse:
    allowed = {"flask", "werkzeug", "jinja2", "markupsafe", "itsdangerous", "click", "blinker"}

    def find_spec(self, name, path=None, target=None):
        first = name.partition(".")[0]
        if first not in self.allowed | set(sys.stdlib_module_names) | {"simulator"}:
            raise ImportError(f"{name} is not there")

sys.meta_path.insert(0, Refuse())
sys.path.insert(0, sys.argv[1])
from simulator import Simulator
from simulator.__main__ import main

with Simulator() as sim:
    for path in ("/_simulator/", "/_simulator/health"):
        print(urllib.request.urlopen(sim.url + path).status)
"""

COMMAND = [sys.executable, "-m", "spayon_flask.simulator", "--port", "0"]


@contextmanager
def running(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the program and return it with its URL."""
    with subprocess.Popen(
        [*COMMAND, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        try:
            assert program.stdout is not None
            url = ""
            while "SPAYON_API_URL" not in url:
                url = program.stdout.readline()

            yield program, url.split()[-1]
        finally:
            program.kill()


def seconds_to_end(number: signal.Signals, state: Path) -> float:
    """Return how long the program takes to end, with a client and a fault in its way."""
    with running("--state", str(state)) as (program, url):
        client = Bare(url)
        client.log_in()
        client.post("/_simulator/faults", {"kind": "latency", "seconds": 60})
        with socket.create_connection((client.host.split(":")[0], int(url[-5:]))) as waiting:
            waiting.sendall(
                b"POST /api/tokens HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
            )
            start = time.monotonic()
            program.send_signal(number)
            code, seconds = program.wait(10), time.monotonic() - start

        client.close()
        assert code == 0
        return seconds


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "TERM"])
def test_it_ends_within_a_second(number: signal.Signals, tmp_path: Path) -> None:
    """Although a client keeps its connection open and a fault keeps another waiting.

    If several programs share a core, each has its part of a second.
    """
    sharing = os.getloadavg()[0] / (os.cpu_count() or 1)

    assert seconds_to_end(number, tmp_path / "state.json") < max(1, sharing)


def test_it_says_how_to_connect_a_shop() -> None:
    """With the settings to be copied; a further host name is allowed, as containers have it."""
    with running("--allow-host", "simulator") as (program, url):
        assert program.stdout is not None
        line = program.stdout.readline()
        api = Bare(url)
        hosts = ("simulator:5001", "other:5001")
        codes = [api.ask("GET", "/_simulator/", headers={"Host": host}).code for host in hosts]
        api.close()

    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
    assert "SPAYON_CLIENT_ID         simulator-client" in line
    assert codes == [200, 403]


def test_an_option_that_makes_no_sense_gets_one_plain_line(
    sim: Simulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And no traceback."""
    milk, soon = tmp_path / "milk.json", tmp_path / "soon.json"
    milk.write_text("milk")
    soon.write_text('{"now": "soon"}')
    for options, said in (
        (["--port", "99999"], "argument --port: from 0 to 65535"),
        (["--port", str(sim.port)], f"on 127.0.0.1:{sim.port}: Address already in use"),
        (["--host", "no.such.name.invalid"], "Cannot listen on no.such.name.invalid:5001: "),
        (["--public-url", "192.168.1.20:5001"], "public URL must be such as http://"),
        (["--port", "0", "--state", "/proc"], "/proc is a folder"),
        (["--port", "0", "--state", "/proc/x.json"], "/proc/x.json cannot be written"),
        (["--port", "0", "--load", "nowhere.json"], "nowhere.json cannot be read"),
        (["--port", "0", "--load", str(milk)], "milk.json"),
        (["--port", "0", "--load", str(soon)], "soon.json"),
        *(([f"--time-scale={scale}"], "--time-scale") for scale in ("-1", "nan", "fast", "inf")),
    ):
        try:
            code = main(options)
        except SystemExit as error:
            code = int(str(error.code))

        lines = capsys.readouterr().err.splitlines()
        assert code != 0
        assert said in lines[-1]
        assert len([line for line in lines if not line.startswith((" ", "usage:"))]) == 1


def test_a_terminal_shows_a_line_for_each_callback(shop: Shop) -> None:
    """Nothing that a shop has chosen commands the terminal; a pipe stays empty."""
    leader, follower = pty.openpty()
    with subprocess.Popen(COMMAND, stdout=follower) as running_one:
        os.close(follower)
        with open(leader, encoding="utf-8", closefd=True) as terminal:  # noqa: PTH123  a descriptor
            url = next(line for line in terminal if "SPAYON_API_URL" in line).split()[-1]
            client = Bare(url)
            client.log_in()
            created = client.create(callback_url=shop.url, order_id="A\x1b[2J").json
            client.post(f"/_simulator/sessions/{created['session_id']}/pay", {})
            client.close()
            line = next(line for line in terminal if shop.url in line)
            running_one.terminate()

    assert "paid" in line
    assert "A\\x1b[2J" in line
    assert "200, " in line


def test_the_package_brings_it_as_a_command() -> None:
    """Beside `python -m`."""
    (found,) = entry_points(group="console_scripts", name="spayon-simulator")

    assert found.load() is main


def test_a_story_is_played_back(tmp_path: Path, shop: Shop) -> None:
    """To the shop that is named."""
    path = tmp_path / "story.json"
    with Simulator() as sim:
        session = sim.create(
            Creation("Tea", Decimal(7), "AMD", callback_url="http://127.0.0.1:9/pay/callback")
        )
        sim.pay(session.id)
        path.write_text(json.dumps(as_json(sim, session)))

    shop.hold_until(1)
    with running("--load", str(path), "--to", shop.url) as (program, _):
        assert program.stdout is not None
        while "replayed" not in (line := program.stdout.readline()):
            assert program.poll() is None

        assert line.startswith("1 callbacks of")
        assert shop.gate.wait(10)

    assert [received.path for received in shop.received] == ["/pay/callback"]


def test_it_starts_with_flask_alone(tmp_path: Path) -> None:
    """Its folder is enough: without the package around it, and without what that one needs."""
    (tmp_path / "simulator").symlink_to(Path(spayon_flask.simulator.__file__).parent)
    (tmp_path / "only_flask.py").write_text(ONLY_FLASK)
    command = [sys.executable, "-I", str(tmp_path / "only_flask.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.stdout.split() == ["200", "200"], done.stderr


def test_it_warns_where_others_can_reach_it() -> None:
    """Everybody knows its secrets."""
    with running("--host", "0.0.0.0") as (program, _):
        program.terminate()
        assert "others on the network can reach it" in program.communicate()[1]


def test_a_simulator_inside_a_program_stops_within_a_second(scene: Scene) -> None:
    """Although a shop is taking its time over a callback."""
    scene.shop.hold_until(2)
    scene.sim.pay(scene.session.id, wait=False)
    start = time.monotonic()
    scene.sim.stop()

    assert time.monotonic() - start < 1


def test_a_stopped_simulator_has_given_its_port_back() -> None:
    """Another one can have it at once."""
    with Simulator() as first:
        port = first.port

    with Simulator(port=port) as second:
        assert second.port == port


def test_a_connection_that_is_accepted_while_the_simulator_stops_is_closed() -> None:
    server = Server(lambda *_: [], "127.0.0.1", 0)
    ours, theirs = socket.socketpair()

    with ours, theirs:
        server.stopping.set()
        server.opened(theirs)

        assert ours.recv(1) == b""

    server.server_close()
