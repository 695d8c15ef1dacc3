"""What a rehearsal foretells of a quirk of Spayon, and what a shop does: side by side."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from spayon_flask.errors import GatewayError
from spayon_flask.rehearsal import Options, rehearse
from spayon_flask.rehearsal.assumptions import by_id
from spayon_flask.simulator import Simulator
from tests.cli.serving import serving
from tests.kept import dispose
from tests.rehearsal.conftest import Report, Stage, free_port, settings_for
from tests.rehearsal.quirks import ROWS, USED, Row
from tests.rehearsal.standin import CLIENT, SECRET, Carry, Quirk, StandIn
from tests.shop import Clock, Shop, make_shop

TYPED = {"email": "ani@example.com", "full_name": "Ani"}

CONFIG: dict[str, Any] = {
    "SPAYON_CLIENT_ID": CLIENT["client_id"],
    "SPAYON_CLIENT_SECRET": CLIENT["client_secret"],
    "SPAYON_CALLBACK_SECRET": SECRET,
}


@contextmanager
def standing_in(quirk: Quirk, carry: Carry) -> Iterator[StandIn]:
    """Yield a stand-in that listens."""
    stand_in = StandIn(quirk, carry)

    with serving(stand_in) as stand_in.url:
        yield stand_in


def by_http(method: str, url: str, headers: Mapping[str, str], body: bytes) -> int:
    """Send a request to the rehearsal."""
    return requests.request(method, url, headers=dict(headers), data=body, timeout=10).status_code


class Person:
    """Do at the stand-in what the terminal asks for."""

    def __init__(self, stand_in: StandIn) -> None:
        self.stand_in = stand_in

    def do(self, what: str, url: str) -> bool:
        """End the session at *url*, and come back."""
        stand_in = self.stand_in
        session_id = url.rpartition("/")[2]

        if "card that works" in what:
            stand_in.end(session_id, "paid")
            stand_in.bring_back(session_id, "return_url")

        elif "give up" in what or ("declined" in what and "first" in stand_in.quirk.fails):
            stand_in.end(session_id, "failed")

        elif "back" in what:
            stand_in.sessions[session_id]["status"] = stand_in.quirk.back
            stand_in.bring_back(session_id, "cancel_url")

        return True


def rehearsed(row: Row) -> Report:
    """Rehearse with the quirk of a row, with a person."""
    port, clock = free_port(), Clock()

    with standing_in(row.quirk, by_http) as stand_in:
        options = {"url": f"http://127.0.0.1:{port}", "port": port, "pay": True}
        return rehearse(
            settings_for(stand_in.url, **CONFIG),
            Options(**{**options, **(row.options or {})}),
            person=Person(stand_in),
            tell=lambda _: None,
            clock=clock,
            sleep=clock.step,
        )


@dataclass
class Deed:
    """What a shop did: whether the payer got to Spayon, what it answered, what it recorded."""

    checkout: bool
    answer: int | None = None
    status: str | None = None
    asked: str | None = None
    back: bool | None = None
    cancelled: bool | None = None
    again: bool | None = None
    then: bool | None = None


class InAShop:
    """A shop of ours with the quirk of a row."""

    def __init__(self, shop: Shop, stand_in: StandIn, row: Row) -> None:
        self.shop = shop
        self.stand_in = stand_in
        self.row = row

    def checkout(self, order_id: str, language: str = "en", **order: str) -> str | None:
        """Return the session that a payer is sent to, or None if the shop has none."""
        self.shop.add_order(order_id, **order)
        return self.again(order_id, language)

    def again(self, order_id: str, language: str = "en") -> str | None:
        """Go to the checkout page of an order that is there, and return the session."""
        page = self.shop.app.test_client().post(
            f"/pay/checkout/{order_id}", data=TYPED, headers={"Accept-Language": language}
        )
        return page.location.rpartition("/")[2] if page.status_code == 303 else None

    def do(self) -> Deed:
        """Sell once with a callback, once without, and once at the second attempt."""
        stand_in, shop = self.stand_in, self.shop
        session_id = self.checkout("A1")

        if session_id is None:
            return Deed(checkout=False)

        deed = Deed(checkout=True)
        stand_in.end(session_id, "paid")
        deed.answer = stand_in.answers[-1] if stand_in.answers else None
        deed.status = shop.payment(session_id).status
        stand_in.bring_back(session_id, "return_url")
        deed.back = stand_in.came_back in (200, 303)
        deed.asked = self.ask()

        if failed := self.checkout("A4"):
            stand_in.bring_back(failed, "cancel_url")
            deed.cancelled = stand_in.came_back == 200
            stand_in.end(failed, "failed")
            deed.again = self.again("A4") not in (None, failed)

        deed.then = self.then()
        return deed

    def ask(self) -> str | None:
        """Sell without a callback, and ask; return what was recorded."""
        session_id = self.checkout("A2")

        if session_id is None:
            return None

        self.stand_in.end(session_id, "paid", deliver=False)

        with self.shop.app.app_context():
            spayon, db = self.shop.spayon, self.shop.db
            query = db.select(spayon.Payment).filter_by(session_id=session_id)

            try:
                return str(spayon.refresh(db.session.scalars(query).one()).status)

            except GatewayError:
                return None

    def then(self) -> bool | None:
        """Try what else the row names; return whether a payer got to Spayon."""
        what = self.row.then

        if what == "tokens end":
            self.stand_in.tokens.clear()
            return self.checkout("A3") is not None

        return None if what is None else self.checkout("A3", **what) is not None


def done_in_a_shop(row: Row) -> Deed:
    """Sell in a shop of ours, with the quirk of a row."""
    shops: list[Shop] = []

    def into_the_shop(method: str, url: str, headers: Mapping[str, str], body: bytes) -> int:
        parts = urlsplit(url)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        client = shops[0].app.test_client()
        return client.open(path, method=method, headers=dict(headers), data=body).status_code

    with standing_in(row.quirk, into_the_shop) as stand_in:
        shops.append(make_shop(SPAYON_API_URL=stand_in.url, **CONFIG))
        deed = InAShop(shops[0], stand_in, row).do()
        dispose(shops[0])
        return deed


#: Of each verdict and each part of a payment one; the others are for `make thorough`.
QUICK = {
    *("as documented", "token: nested", "wrong token: 403", "creation: session_url is empty"),
    *("creation: an unknown field is required", "used order: 409", "status: another session"),
    *("flaky: each seventh call", "report: price times 100", "callback: sha256=", "callback: PAID"),
}

EACH = [
    pytest.param(row, id=row.name, marks=() if row.name in QUICK else (pytest.mark.thorough,))
    for row in ROWS
]


@pytest.mark.parametrize("row", EACH)
def test_a_shop_does_what_a_rehearsal_foretells(row: Row) -> None:
    report = rehearsed(row)
    lines = {line["id"]: line for line in report["lines"]}
    works = {id_ for id_, line in lines.items() if line["outcome"] in ("same", "works")}
    noticed = {
        id_ for id_, line in lines.items() if line["outcome"] in ("differs", "stopped", "works")
    }
    deed = done_in_a_shop(row)

    assert report["exit_code"] == row.code, report["verdict"]
    assert {*row.shown.split()} <= noticed

    # What works now and then is foretold by nobody.
    if row.name.startswith("flaky"):
        return

    assert ("creation-accepted" in works) == deed.checkout

    # Nobody says yes to a shop that takes no money.
    if row.code == 0:
        assert replace(deed, then=None) == Deed(True, 200, "paid", "paid", True, True, True)

    paid = lines["payment-understood"]

    if deed.checkout and paid["outcome"] not in ("stopped", "not tried"):
        nothing_learned = ("pending", None) if paid["seen"] == "unreadable" else ()
        assert deed.asked in (paid["seen"], *nothing_learned)
        assert ("return-parameter" in works) == deed.back

    for callback in report["callbacks"][: int(deed.checkout)]:
        assert (callback["answer"], callback["status"]) == (deed.answer, deed.status)

    if row.then:
        assert (row.shown in works) == deed.then

    if row.shown == USED:
        assert (USED in works) == bool(deed.again)


def test_there_are_at_least_eighty_quirks() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS) >= 80


@pytest.mark.thorough
@pytest.mark.parametrize("row", [row for row in ROWS if row.code < 2], ids=lambda row: row.name)
def test_the_simulator_does_as_a_report_says_or_says_that_it_cannot(row: Row) -> None:
    first = rehearsed(row)

    with Simulator(time_scale=0, like=first) as sim:
        sim.client_id, sim.client_secret = CLIENT["client_id"], CLIENT["client_secret"]
        sim.callback_secret = SECRET
        stage = Stage(sim)
        settings = settings_for(sim.url, **CONFIG)
        again = stage.rehearse(settings=settings, pay=True, **(row.options or {}))

    told = " ".join(sim.unlike)
    seen = {line["id"]: line["seen"] for line in again["lines"]}
    other = {
        line["id"]
        for line in first["lines"]
        if line["outcome"] in ("same", "works", "differs") and line["seen"] != seen[line["id"]]
    }
    excused = {id_ for id_ in other if id_ in told or by_id(id_).switch in told.split()}

    assert other - excused == set()
