"""Shops that are slow, that trickle, with a certificate of their own, or that are not there."""

import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from spayon_flask.simulator import PaymentSession, Simulator
from spayon_flask.simulator.courier import together
from spayon_flask.simulator.transport import Answer
from tests.cli.serving import serving
from tests.simulator.bare import CREATION, Bare
from tests.simulator.shop import Shop


def session_at(sim: Simulator, api: Bare, url: str, **fields: str) -> PaymentSession:
    """Return a session whose callbacks go to *url*."""
    return sim.sessions[api.create(callback_url=url, **fields).json["session_id"]]


def test_patience_is_for_the_whole_answer(sim: Simulator, api: Bare) -> None:
    """Not for each byte of it."""
    gone = threading.Event()

    def trickle(_: object, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        try:
            for _ in range(1000):
                yield b"x"
                gone.wait(0.05)
        finally:
            gone.set()

    sim.shape.change(patience=0.5)
    with serving(trickle) as url:
        told = sim.pay(session_at(sim, api, f"{url}/callback").id)
        assert gone.wait(5)

    assert told is not None
    assert told.attempts[0].answer == "timeout"


def test_a_slow_shop_delays_no_other(sim: Simulator, api: Bare, shop: Shop) -> None:
    """However many callbacks wait for its answers."""
    with Shop() as slow:
        slow.hold_until(99)
        waiting = [sim.pay(session_at(sim, api, slow.url).id, wait=False) for _ in range(10)]
        told = sim.pay(session_at(sim, api, shop.url).id)
        assert told is not None
        assert told.status_code == 200
        assert not any(each.attempts for each in waiting if each)
        slow.gate.set()
        assert sim.settle()

    assert [each.status_code for each in waiting if each] == [200] * 10


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")
def test_a_certificate_of_its_own_is_said_in_words_and_can_be_taken(tmp_path: Path) -> None:
    """By a switch that is asked for."""
    files = ["-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "cert")]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    subprocess.run([*made, *files], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    causes = []

    with Shop(tls) as secure, Shop() as plain:
        url, odd = (each.url.replace("http:", "https:") for each in (secure, plain))
        for verify, address in ((True, url), (False, url), (True, odd)):
            with Simulator(verify=verify) as sim:
                api = Bare(sim.url)
                api.log_in()
                told = sim.pay(session_at(sim, api, address).id)
                api.close()
                assert told is not None
                causes.append((told.status_code, told.attempts[0].cause))

    assert "--skip-verify" in causes[0][1]
    assert causes[1] == (200, "")
    assert "does not speak TLS" in causes[2][1]
    assert "SSL" not in causes[0][1] + causes[2][1]


def test_a_replay_goes_to_another_shop_or_to_that_very_address(sim: Simulator, api: Bare) -> None:
    """A path is not lost."""
    session = session_at(sim, api, "http://127.0.0.1:9/pay/callback?a=1")
    sim.pay(session.id)
    for to, url in (
        ("", "http://127.0.0.1:9/pay/callback?a=1"),
        ("http://127.0.0.1:10", "http://127.0.0.1:10/pay/callback?a=1"),
        ("http://127.0.0.1:10/", "http://127.0.0.1:10/pay/callback?a=1"),
        ("http://127.0.0.1:10/hook", "http://127.0.0.1:10/hook"),
    ):
        api.post(f"/_simulator/sessions/{session.id}/replay", {"to": to} if to else {})
        assert list(sim.deliveries)[-1].url == url


def test_what_an_emptied_field_sends_is_nothing(sim: Simulator, api: Bare) -> None:
    """And not the callback as it was; what was sent again leads to the original."""
    sim.pay(session_at(sim, api, "http://127.0.0.1:9/callback").id)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    api.ask("POST", "/_simulator/deliveries/1/send", "body=&signature=none", form)
    sent = api.get("/_simulator/deliveries/2.json").json

    assert (sent["body"], sent["again_of"]) == ("", 1)
    page = api.get("/_simulator/deliveries/2").text
    assert '<a href="/_simulator/deliveries/1">#1</a>' in page
    assert "- X-Signature: " in page


def test_a_payer_can_be_sent_back_after_the_callback(sim: Simulator, api: Bare, shop: Shop) -> None:
    """If that is asked for."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    for choice, answered in (("at once", False), ("after the callback", True)):
        sim.shape.change(payer_returns=choice)
        session = session_at(sim, api, shop.url, return_url="http://127.0.0.1:9/return")
        shop.hold_until(99)
        if answered:
            threading.Timer(0.2, shop.gate.set).start()

        card = "number=4111111111111111&pay=1"
        assert api.ask("POST", f"/pay/{session.id}", card, form).code == 303
        assert bool(list(sim.deliveries)[-1].attempts) == answered
        shop.gate.set()
        sim.settle()


def test_what_a_thread_raises_reaches_the_caller() -> None:
    """Of callbacks that are delivered at once."""

    with pytest.raises(ZeroDivisionError):
        together([lambda: 1 / 0, lambda: None])

    def broken(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        raise ZeroDivisionError

    sim = Simulator(transport=broken)
    session = sim.create(CREATION)
    with pytest.raises(ZeroDivisionError):
        sim.deliver(session.id, times=2, concurrently=True)
