"""A stranger's address never gets onto the customer's payment."""

from __future__ import annotations

from typing import Any

import pytest

from spayon_flask.simulator import Simulator
from spayon_flask.testing import connect
from tests.shop import Shop
from tests.shop import make_shop


STRANGER, OURS = "http://evil.example", "http://shop.test"


@pytest.fixture
def open_shop(database_url: str) -> Any:
    """A shop that is reached by any host, as in development."""
    shop = make_shop(database_url, SPAYON_PUBLIC_URL=None)
    shop.add_order()
    yield shop

    with shop.app.app_context():
        shop.db.session.remove()
        shop.db.engine.dispose()


def pay(shop: Shop, base_url: str) -> str:
    answer = shop.app.test_client().post("/pay/checkout/A1", base_url=base_url)
    assert answer.status_code == 303
    return str(answer.location)


def test_a_payment_session_is_not_shared_between_hosts(open_shop: Shop) -> None:
    simulator = connect(open_shop.app)
    theirs, ours = pay(open_shop, STRANGER), pay(open_shop, OURS)

    assert theirs != ours
    assert ours == pay(open_shop, OURS)

    first, second = simulator.sessions.of_order("A1")
    assert first.creation.callback_url == f"{STRANGER}/pay/callback"
    assert second.creation.callback_url == f"{OURS}/pay/callback"


def test_a_stranger_s_payment_session_that_was_paid_is_not_paid_again(open_shop: Shop) -> None:
    simulator = connect(open_shop.app)
    pay(open_shop, STRANGER)
    (session,) = simulator.sessions.of_order("A1")
    # The callback goes to the stranger's host, who keeps it.
    simulator.fault("callback_lost", times=None)
    simulator.pay(session.id)

    answer = open_shop.app.test_client().post("/pay/checkout/A1", base_url=OURS)

    assert (answer.status_code, answer.location) == (303, f"/pay/return?session_id={session.id}")
    assert open_shop.payment(session.id).status == "paid"
    assert open_shop.paid_times() == 1


def test_a_late_paid_of_a_stranger_s_payment_session_counts(open_shop: Shop) -> None:
    simulator = connect(open_shop.app)
    pay(open_shop, STRANGER)
    pay(open_shop, OURS)
    first, second = simulator.sessions.of_order("A1")
    simulator.pay(first.id)

    assert open_shop.payment(first.id).status == "paid"
    assert open_shop.paid_times() == 1
    assert second.id != first.id


def test_with_a_public_url_the_host_shows_nowhere(any_shop: Shop, gateway: Simulator) -> None:
    any_shop.add_order()
    client = any_shop.app.test_client()
    answers = [
        client.get("/pay/checkout/A1", base_url=STRANGER),
        client.post("/pay/checkout/A1", base_url=STRANGER),
    ]
    (session,) = gateway.sessions.of_order("A1")
    answers += [
        client.get(f"/pay/return?session_id={session.id}", base_url=STRANGER),
        client.get(str(session.creation.cancel_url), base_url=STRANGER),
        client.get("/pay/checkout/B1", base_url=STRANGER),
        client.get("/pay/return", base_url=STRANGER),
    ]

    for answer in answers:
        assert "evil.example" not in answer.text
        assert "evil.example" not in str(answer.headers)

    assert "evil.example" not in str(session.creation)
    assert pay(any_shop, OURS) == answers[1].location
