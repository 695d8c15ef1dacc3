"""The cancel page: "back" on the hosted page does not end the payment session."""

from typing import Any

import pytest

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
