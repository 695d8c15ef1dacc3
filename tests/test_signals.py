"""Signals: observers hear, and cannot harm."""

import pytest
from blinker import Namespace

from spayon_flask.signals import announce


def test_every_receiver_hears_even_after_one_that_raises(
    caplog: pytest.LogCaptureFixture,
) -> None:
    heard: list[object] = []
    signal = Namespace().signal("bell")

    def fail(_sender: str, **_: object) -> None:
        raise RuntimeError("deaf")

    def hear(sender: str, tone: str) -> None:
        heard.append((sender, tone))

    with signal.connected_to(fail), signal.connected_to(hear):
        announce(signal, "spayon", tone="c")

    assert heard == [("spayon", "c")]
    assert "a receiver of bell failed" in caplog.text


def test_a_receiver_hears_of_the_account_that_it_asked_for() -> None:
    heard: list[str] = []
    signal = Namespace().signal("bell")

    def hear(sender: str) -> None:
        heard.append(sender)

    with signal.connected_to(hear, sender="books"):
        announce(signal, "spayon")
        announce(signal, "books")

    assert heard == ["books"]
