"""The cancel page: "back" on the hosted page does not end the payment session."""

from __future__ import annotations

from typing import Any

import pytest

from spayon_flask.simulator import Simulator
from tests.shop import Shop


def look(shop: Shop, reference: str = "reference-of-S1-A1") -> Any:
    return shop.app.test_client().get(f"/pay/cancel/{reference}")


@pytest.mark.parametrize("reference", ["x", "%00", "S1", "%ED%A0%80", "' OR 1=1 --"])
def test_an_unknown_reference_is_not_found(shop: Shop, reference: str) -> None:
    shop.add_payment()

    assert look(shop, reference).status_code == 404


def test_it_offers_to_resume_while_the_session_lives(shop: Shop) -> None:
    shop.add_payment()
    shop.clock.step(3 * 60)
    text = look(shop).text

    assert "http://127.0.0.1:9/pay/S1" in text
    assert 'datetime="2026-11-22T12:15' in text
    assert "12 minutes" in text


def test_it_changes_nothing(shop: Shop) -> None:
    shop.add_payment()
    look(shop)

    assert shop.payment().status == "pending"


def test_a_session_past_its_time_is_not_resumed(shop: Shop) -> None:
    shop.add_payment()
    shop.clock.step(15 * 60)
    text = look(shop).text

    assert "http://127.0.0.1:9/pay/S1" not in text
    assert "/pay/checkout/A1" in text or "/pay/return" in text


@pytest.mark.parametrize("status", ["paid", "failed", "expired", "review"])
def test_a_payment_that_has_ended_meanwhile_is_not_resumed(shop: Shop, status: str) -> None:
    shop.add_payment(status=status)
    page = look(shop)

    assert page.status_code == 200
    assert "http://127.0.0.1:9/pay/S1" not in page.text


def test_with_the_callback_lost_it_does_not_say_that_nothing_was_charged(
    live_shop: Shop, sim: Simulator
) -> None:
    live_shop.add_order()
    live_shop.app.test_client().post("/pay/checkout/A1")
    session = next(iter(sim.sessions))
    sim.fault("callback_lost", times=9)
    sim.pay(session.id)

    page = live_shop.app.test_client().get(session.creation.cancel_url)

    assert "othing was charged" not in page.text
    assert live_shop.payment(session.id).status == "paid"
