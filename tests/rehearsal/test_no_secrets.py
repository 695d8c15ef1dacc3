"""Whatever stands in an answer of Spayon, none of it stands in the report."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask
from flask import jsonify
from flask import request
from werkzeug.serving import make_server

from spayon_flask.cli.rehearse import gateway as gateways
from spayon_flask.cli.rehearse import report as reports
from spayon_flask.cli.rehearse.receivers import skeleton
from tests.conftest import dispose
from tests.listening import listening
from tests.live import shop_at
from tests.rehearsal.conftest import Stage
from tests.rehearsal.conftest import apart
from tests.shop import SECRET
from tests.signing import signed


PLANTED = "pl4nted"


class Planted:
    """A gateway that plants a secret in every field that it answers with, whatever it is asked."""

    def __init__(self) -> None:
        self.url = ""
        self.creations: dict[str, Any] = {}
        self.app = Flask("planted")
        self.app.post("/api/tokens")(self.tokens)
        self.app.post("/api/product/session")(self.create)
        self.app.get("/api/product/session/<session_id>")(self.status)

    def tokens(self) -> Any:
        return jsonify(
            access_token=f"{PLANTED}.e30.x",
            token_type=PLANTED,
            expires_in=3600,
            refresh=PLANTED,
            **{f"odd key {PLANTED}": 1},
        )

    def create(self) -> Any:
        session_id = f"{PLANTED}-{len(self.creations)}"
        self.creations[session_id] = request.get_json()
        return jsonify(
            session_id=session_id,
            session_url=f"{self.url}/pay/{session_id}?{PLANTED}",
            more=[PLANTED, {PLANTED: PLANTED}],
        )

    def status(self, session_id: str) -> Any:
        return self.report(session_id)

    def report(self, session_id: str) -> Any:
        keys = ("productName", "price", "currency", "createdAt", "updatedAt", "orderId", "more")
        report = {"sessionId": session_id, "status": PLANTED, **dict.fromkeys(keys, PLANTED)}
        reason = dict.fromkeys(("transactionId", "responseCode", "responseReasonEn"), PLANTED)
        return report | {"declineReasons": [reason | {f"{PLANTED} {PLANTED}": 1}]}


class Person:
    """Do nothing at the hosted page, but send what Spayon would."""

    def __init__(self, gateway: Planted) -> None:
        self._gateway = gateway

    def do(self, what: str, url: str) -> None:
        found = re.search(rf"{PLANTED}-\d+", url)
        assert found
        session_id = found.group()
        links = self._gateway.creations[session_id]
        body = json.dumps(self._gateway.report(session_id)).encode()
        headers = {"X-Signature": signed(body, SECRET), "X-More": PLANTED, "Cookie": PLANTED}
        requests.post(links["callback_url"], data=body, headers=headers, timeout=10)

        for name in ("return_url", "cancel_url"):
            query = {"session_id": session_id, "more": PLANTED}
            requests.get(links[name], params=query, headers={"Referer": PLANTED}, timeout=10)


@pytest.fixture
def gateway() -> Iterator[Planted]:
    planted = Planted()
    server = make_server("127.0.0.1", 0, planted.app, threaded=True)
    planted.url = f"http://127.0.0.1:{server.port}"

    with listening(server):
        yield planted


def test_no_secret_of_any_answer_is_in_the_report(
    gateway: Planted, tmp_path: Path, sim: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateways, "PAUSE", 0)

    with shop_at(
        sim, f"sqlite:///{tmp_path / 'shop.db'}", SPAYON_CLIENT_SECRET="hush-hush"
    ) as shop:
        apart(shop, tmp_path, sim.clock.now)
        state = shop.app.extensions["spayon"]["spayon"]
        settings = state.settings
        object.__setattr__(settings, "api_url", gateway.url)
        stage = Stage(shop, sim)
        stage.person = Person(gateway)  # type: ignore[assignment]  # another person
        report = stage.rehearse(pay=True, redelivery=True)
        written = reports.write(report, state.rehearsals.folder)
        dispose(shop)

    files = (written, written.with_suffix(".txt"))
    said = json.dumps(report) + " ".join([*stage.told, *(each.read_text() for each in files)])
    callback = report["facts"]["pay"]["callback"]

    assert callback["bytes"].startswith('{"sessionId": "xx0xxxx-00", "status": "xx0xxxx", ')

    # It was seen, and signed rightly; and nothing of it is repeated.
    assert callback["signature"] == "hex"
    assert "X-More" in callback["headers"]
    assert "(another name)" in report["facts"]["token"]["keys"]
    assert report["facts"]["pay"]["return_parameter"] == "session_id"
    assert report["facts"]["redelivery"]["attempts"] > 0
    assert not [secret for secret in (PLANTED, "hush-hush", SECRET) if secret in said]


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b'{"price" : "10", "a":-1.5e3}', '{"price" : "00", "a":-0.0x0}'),
        (b'{"a": "\\u0531\\" b"}', '{"a": "\\u0000\\" x"}'),
        ('{"a": "\u0531"}'.encode(), '{"a": "x"}'),
        (b'{"two words": true}', '{"xxx xxxxx": xxxx}'),
        (b"no JSON at all: 17", "xx xxxx xx xxx: 00"),
        (b'{"a": "cut o', '{"a": "xxx x'),
        (b"\xff", "\ufffd"),
    ],
)
def test_the_bytes_of_a_callback_are_shown_without_what_they_say(body: bytes, shown: str) -> None:
    assert skeleton(body) == shown
