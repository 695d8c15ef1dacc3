"""A shop on a real port, the simulator, and a person at the terminal who does as told."""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from spayon_flask.cli.rehearse import report as reports
from spayon_flask.cli.rehearse.gateway import StoppedError
from spayon_flask.cli.rehearse.rehearsal import Rehearsal
from spayon_flask.cli.rehearse.rehearsal import environment_of
from spayon_flask.rehearsals import Rehearsals
from spayon_flask.simulator import Simulator
from spayon_flask.simulator.sessions import CARDS
from spayon_flask.state import AppState
from tests.conftest import dispose
from tests.live import shop_at
from tests.shop import Shop


APPROVED = next(card.number for card in CARDS if card.key == "approved")
DECLINED = next(card.number for card in CARDS if card.declines)


class Person:
    """Do at the simulator's hosted page what the terminal asks for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def do(self, what: str, url: str) -> None:
        """Do it, as a browser would."""
        self.asked.append(what)

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


class Stage:
    """A shop and a simulator; `rehearse` walks through the steps and returns the report."""

    def __init__(self, shop: Shop, sim: Simulator) -> None:
        self.shop = shop
        self.sim = sim
        self.person = Person()
        self.told: list[str] = []
        self.stopped: StoppedError | None = None
        self.exit_code = -1
        self.slept = 0.0

    @property
    def state(self) -> AppState:
        """What belongs to the shop's app."""
        state: AppState = self.shop.app.extensions["spayon"]["spayon"]
        return state

    def sleep(self, seconds: float) -> None:
        """Let time pass: what is due at the gateway happens on the way."""
        self.slept += seconds
        self.sim.clock.step(seconds)

    def rehearse(
        self,
        *,
        pay: bool = False,
        redelivery: bool = False,
        resume: bool = False,
        hang: float = 0.2,
        each: Callable[[str], object] = lambda _: None,
    ) -> dict[str, Any]:
        """Rehearse; *each* is told what is done."""

        def tell(says: str) -> None:
            self.told.append(says)
            each(says)

        with self.shop.app.app_context():
            rehearsal = Rehearsal(self.state, self.person, tell, sleep=self.sleep, hang=hang)
            rehearsal.begin(resume=resume)
            self.stopped = None

            try:
                rehearsal.alone()

                if pay:
                    rehearsal.with_payer(redelivery=redelivery)

                if redelivery:
                    rehearsal.redelivery()

            except StoppedError as error:
                self.stopped = error

            else:
                rehearsal.end()

            found = reports.lines(rehearsal.facts)
            self.exit_code = reports.exit_code(found)
            environment = environment_of(self.state)
            return reports.as_json(found, rehearsal.facts, environment, self.state.clock())


def outcomes(report: dict[str, Any], outcome: str) -> set[str]:
    """Return the ids of the lines with *outcome*."""
    return {line["id"] for line in report["lines"] if line["outcome"] == outcome}


Staged = Callable[..., Stage]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Staged]:
    """Make a stage; what is named are switches of the simulator."""
    stack = ExitStack()
    made: list[Stage] = []

    def make(like: Any = None, **switches: Any) -> Stage:
        sim = stack.enter_context(
            Simulator(time_scale=0, seed=len(made), shape=switches, like=like)
        )
        folder = tmp_path / str(len(made))
        folder.mkdir()
        shop = stack.enter_context(shop_at(sim, f"sqlite:///{folder / 'shop.db'}"))
        stack.callback(dispose, shop)
        apart(shop, folder, sim.clock.now)
        made.append(Stage(shop, sim))
        return made[-1]

    with stack:
        yield make


def apart(shop: Shop, folder: Path, clock: Callable[[], datetime] | None = None) -> None:
    """Give *shop* a folder of its own for rehearsals, and *clock*."""
    states = shop.app.extensions["spayon"]
    state: AppState = states["spayon"]
    rehearsals = Rehearsals(str(folder / "rehearsal"))
    states["spayon"] = replace(state, clock=clock or state.clock, rehearsals=rehearsals)
