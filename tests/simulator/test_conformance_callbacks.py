"""Status, callbacks and the session's life, statement by statement of Spayon's documentation."""

import hashlib
import hmac
import json
import re

import pytest

from spayon_flask.simulator import PaymentSession, SessionOverError, Simulator
from tests.simulator.bare import Bare
from tests.simulator.shop import Shop

EXAMPLE = "sessionId status productName price currency createdAt updatedAt orderId"


def test_a_new_session_is_pending_and_says_what_is_sold(api: Bare, session: PaymentSession) -> None:
    """With the keys of the documented example, in its order, and times as it writes them."""
    answer = api.status(session.id)
    report = answer.json

    assert answer.code == 200
    assert " ".join(report) == EXAMPLE
    assert list(report.values())[:5] == [session.id, "pending", "Coffee", "1000", "AMD"]
    assert report["orderId"] == "A-1"
    for moment in (report["createdAt"], report["updatedAt"]):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", moment)


def test_an_unknown_session_is_answered_with_404(api: Bare) -> None:
    """Whatever its id looks like."""
    assert api.status("4ae3108a-3a1c-42df-bce9-503bbd70ab24").code == 404
    assert api.status("%00").code == 404


def test_a_paid_session_is_reported_by_callback(
    sim: Simulator, api: Bare, shop: Shop, session: PaymentSession
) -> None:
    """To the callback_url: the status answer byte by byte, signed with the callback secret."""
    sim.pay(session.id)

    (received,) = shop.received
    expected = hmac.new(b"simulator-callback-secret", received.body, hashlib.sha256).hexdigest()
    assert received.path == "/pay/callback"
    assert received.headers["Content-Type"] == "application/json"
    assert received.headers["X-Signature"] == expected
    assert received.body == api.status(session.id).body
    assert json.loads(received.body)["status"] == "paid"


def test_a_failed_session_carries_a_reason_for_each_declined_attempt(
    sim: Simulator, shop: Shop, session: PaymentSession
) -> None:
    """In the documented form."""
    sim.attempt(session.id, sim.card("14"))
    sim.decline(session.id, "1A")

    first, second = json.loads(shop.received[0].body)["declineReasons"]
    assert first["responseCode"] == "14"
    assert second["responseCode"] == "1A"
    assert second["responseReasonEn"] == "3D-Secure authentication failed"
    assert second["transactionId"] == first["transactionId"] + 1


def test_a_declined_attempt_leaves_the_session_payable(
    sim: Simulator, shop: Shop, session: PaymentSession
) -> None:
    """A card without funds is approved on the retry, and nobody is told of the attempts."""
    assert sim.attempt(session.id, sim.card("05")) == "05"
    assert sim.attempt(session.id, sim.card("51")) == "51"
    assert shop.received == []

    assert sim.attempt(session.id, sim.card("51")) is None
    sim.settle()
    assert session.status == "paid"
    assert "declineReasons" not in json.loads(shop.received[0].body)


def test_a_session_expires_after_15_minutes(
    sim: Simulator, api: Bare, shop: Shop, session: PaymentSession
) -> None:
    """And says so by callback."""
    sim.clock.step(15 * 60 - 1)
    assert api.status(session.id).json["status"] == "pending"

    sim.clock.step(1)
    assert api.status(session.id).json["status"] == "expired"
    assert json.loads(shop.received[0].body)["status"] == "expired"


def test_a_paid_session_does_not_expire(
    sim: Simulator, shop: Shop, session: PaymentSession
) -> None:
    """Its end has come already."""
    sim.pay(session.id)
    sim.clock.step(16 * 60)

    assert session.status == "paid"
    assert len(shop.received) == 1


def test_a_callback_is_attempted_three_times_five_minutes_apart(
    sim: Simulator, shop: Shop, session: PaymentSession
) -> None:
    """With the same bytes, and then never again."""
    shop.code = 500
    delivery = sim.pay(session.id)
    assert delivery is not None

    counts = []
    for _ in range(4):
        sim.clock.step(299)
        counts.append(len(shop.received))
        sim.clock.step(1)
        counts.append(len(shop.received))

    assert counts == [1, 2, 2, 3, 3, 3, 3, 3]
    assert delivery.state == "given up"
    assert len({(one.body, one.headers["X-Signature"]) for one in shop.received}) == 1


@pytest.mark.parametrize("code", [201, 204, 302, 400, 401, 404, 503])
def test_only_200_ends_redelivery(
    sim: Simulator, shop: Shop, session: PaymentSession, code: int
) -> None:
    """No other code does, not even another success."""
    shop.code = code
    sim.pay(session.id)
    shop.code = 200
    sim.clock.step(600)

    assert len(shop.received) == 2


def test_a_session_without_callback_url_reports_to_nobody(sim: Simulator, api: Bare) -> None:
    """Its status can still be asked for."""
    session_id = api.create().json["session_id"]

    assert sim.pay(session_id) is None
    assert api.status(session_id).json["status"] == "paid"


def test_a_session_that_is_over_cannot_be_paid_but_late_and_is_then_paid_for_good(
    sim: Simulator, session: PaymentSession
) -> None:
    """Not even a late decline changes that."""
    sim.expire(session.id)
    with pytest.raises(SessionOverError, match="expired already"):
        sim.pay(session.id)

    sim.pay(session.id, late=True)
    with pytest.raises(SessionOverError):
        sim.decline(session.id, late=True)

    assert session.status == "paid"
