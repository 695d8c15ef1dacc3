"""Status, callbacks and the session's life, statement by statement of Spayon's documentation."""

import hashlib
import hmac
import json
import re

import pytest

from spayon_flask.simulator import PaymentSession, SessionOverError, Simulator
from tests.simulator.bare import Bare
from tests.simulator.shop import Shop

EXAMPLE_ORDER = "sessionId status productName price currency createdAt updatedAt orderId"
OTHER_ORDER = "status price orderId currency sessionId createdAt updatedAt productName"


def test_a_new_session_is_pending(api: Bare, session: PaymentSession) -> None:
    """With the keys of the documented example, in its order."""
    answer = api.status(session.id)

    assert answer.code == 200
    assert answer.json["status"] == "pending"
    assert " ".join(answer.json) == EXAMPLE_ORDER


def test_a_report_says_what_is_sold(api: Bare, session: PaymentSession) -> None:
    """The price is a string and the currency in upper case."""
    report = api.status(session.id).json

    assert report["sessionId"] == session.id
    assert report["productName"] == "Coffee"
    assert report["price"] == "1000"
    assert report["currency"] == "AMD"
    assert report["orderId"] == "A-1"


def test_times_are_in_utc_with_milliseconds(api: Bare, session: PaymentSession) -> None:
    """As in `2025-06-11T17:02:51.118Z`."""
    report = api.status(session.id).json

    form = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    assert re.fullmatch(form, report["createdAt"])
    assert re.fullmatch(form, report["updatedAt"])


def test_an_unknown_session_is_answered_with_404(api: Bare) -> None:
    """Whatever its id looks like."""
    assert api.status("4ae3108a-3a1c-42df-bce9-503bbd70ab24").code == 404
    assert api.status("%00").code == 404


def test_a_paid_session_is_reported_by_callback(
    sim: Simulator, shop: Shop, session: PaymentSession
) -> None:
    """As JSON to the callback_url."""
    sim.pay(session.id)

    (received,) = shop.received
    assert received.path == "/pay/callback"
    assert received.headers["Content-Type"] == "application/json"
    assert json.loads(received.body)["status"] == "paid"


def test_a_callback_is_signed_over_its_exact_bytes(
    sim: Simulator, shop: Shop, session: PaymentSession
) -> None:
    """In lower-case hex, keyed with the callback secret."""
    sim.pay(session.id)

    (received,) = shop.received
    expected = hmac.new(b"simulator-callback-secret", received.body, hashlib.sha256).hexdigest()
    assert received.headers["X-Signature"] == expected


def test_a_callback_has_the_body_of_the_status_answer(
    sim: Simulator, api: Bare, shop: Shop, session: PaymentSession
) -> None:
    """Byte for byte."""
    sim.decline(session.id, "1A")

    assert shop.received[0].body == api.status(session.id).body


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
    """The payer may try several cards inside one session, and nobody is told of each."""
    assert sim.attempt(session.id, sim.card("05")) == "05"
    assert shop.received == []

    assert sim.attempt(session.id, sim.card("approved")) is None
    sim.settle()
    assert "declineReasons" not in json.loads(shop.received[0].body)


def test_a_card_without_funds_is_approved_on_the_retry(
    sim: Simulator, session: PaymentSession
) -> None:
    """As if its owner had moved some money."""
    assert sim.attempt(session.id, sim.card("51")) == "51"
    assert sim.attempt(session.id, sim.card("51")) is None
    assert session.status == "paid"


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
    """And then never again."""
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


def test_every_attempt_carries_the_same_bytes(
    sim: Simulator, shop: Shop, session: PaymentSession
) -> None:
    """Nothing but the body identifies a delivery."""
    shop.code = 500
    sim.pay(session.id)
    sim.clock.step(600)

    assert len({(one.body, one.headers["X-Signature"]) for one in shop.received}) == 1


def test_a_session_without_callback_url_reports_to_nobody(sim: Simulator, api: Bare) -> None:
    """Its status can still be asked for."""
    session_id = api.create().json["session_id"]

    assert sim.pay(session_id) is None
    assert api.status(session_id).json["status"] == "paid"


def test_a_session_that_is_over_cannot_be_paid(sim: Simulator, session: PaymentSession) -> None:
    """Unless a late payment is wanted."""
    sim.expire(session.id)
    with pytest.raises(SessionOverError, match="expired already"):
        sim.pay(session.id)

    sim.pay(session.id, late=True)
    assert session.status == "paid"


def test_a_paid_session_is_paid_for_good(sim: Simulator, session: PaymentSession) -> None:
    """Not even a late decline changes it."""
    sim.pay(session.id)

    with pytest.raises(SessionOverError):
        sim.decline(session.id, late=True)
