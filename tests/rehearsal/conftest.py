"""A rehearsal with the simulator, and a person at the terminal who does as told."""

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import requests

from spayon_flask.rehearsal import Options, rehearse
from spayon_flask.settings import Settings
from spayon_flask.simulator import Simulator
from spayon_flask.simulator.sessions import CARDS

APPROVED = next(card.number for card in CARDS if card.key == "approved")
DECLINED = next(card.number for card in CARDS if card.declines)

Report = dict[str, Any]


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def settings_for(url: str, **config: Any) -> Settings:
    """Return the settings of a shop that pays through the gateway at *url*."""
    return Settings.from_config(
        {
            "SPAYON_API_URL": url,
            "SPAYON_CLIENT_ID": "simulator-client",
            "SPAYON_CLIENT_SECRET": "simulator-secret",
            "SPAYON_CALLBACK_SECRET": "simulator-callback-secret",
            "SPAYON_PUBLIC_URL": "http://shop.test",
            **config,
        }
    )


class Person:
    """Do at the simulator's hosted page what the terminal asks for, but for what is *left_out*."""

    def __init__(self, left_out: str = "nothing") -> None:
        self.asked: list[str] = []
        self.left_out = left_out

    def do(self, what: str, url: str) -> bool:
        """Do it, as a browser would."""
        self.asked.append(what)

        if self.left_out in what:
            return False

        if "card that works" in what:
            requests.post(url, data={"number": APPROVED, "pay": "1"}, timeout=10)

        elif "declined" in what:
            requests.post(url, data={"number": DECLINED, "pay": "1"}, timeout=10)

        elif "give up" in what:
            requests.post(url, data={"give_up": "1"}, timeout=10)

        else:
            page = requests.get(url, timeout=10).text
            link = re.search(r'class="bill-back"><a href="([^"]+)"', page)
            assert link
            target = link.group(1).replace("&amp;", "&")
            requests.get(requests.compat.urljoin(url, target), timeout=10)

        return True


class Stage:
    """A simulator, and a rehearsal with it."""

    def __init__(self, sim: Simulator) -> None:
        self.sim = sim
        self.person = Person()
        self.told: list[str] = []
        self.slept = 0.0

    def sleep(self, seconds: float) -> None:
        """Let time pass: what is due at the gateway happens on the way."""
        self.slept += seconds
        self.sim.clock.step(seconds)

    def rehearse(self, settings: Settings | None = None, **options: Any) -> Report:
        """Rehearse, and return the report."""
        port = free_port()
        given = {"url": f"http://127.0.0.1:{port}", "port": port, "hang": 0.2}
        return rehearse(
            settings or settings_for(self.sim.url),
            Options(**{**given, **options}),
            person=self.person,
            tell=self.told.append,
            clock=self.sim.clock.now,
            sleep=self.sleep,
        )


def outcomes(report: Report, outcome: str) -> set[str]:
    """Return the ids of the lines with *outcome*."""
    return {line["id"] for line in report["lines"] if line["outcome"] == outcome}


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spayon_flask.rehearsal.wire.PAUSE", 0)


Staged = Callable[..., Stage]


@pytest.fixture
def stage() -> Iterator[Staged]:
    """Make a stage; what is named are switches of the simulator."""
    with ExitStack() as stack:

        def make(like: Any = None, **switches: Any) -> Stage:
            sim = Simulator(time_scale=0, seed=1, shape=switches, like=like)
            return Stage(stack.enter_context(sim))

        yield make
