"""Status, callbacks and the session's life, statement by statement of Spayon's documentation."""

import hashlib
import hmac
import json
import re

import pytest

from spayon_flask.simulator import PaymentSession, SessionOverError, Simulator
from tests.simulator.bare import Bare
from tests.simulator.scene import Scene

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


def test_a_paid_session_is_reported_by_callback(scene: Scene) -> None:
    """To the callback_url: the status answer byte by byte, signed with the callback secret."""
    scene.pay()

    (received,) = scene.shop.received
    expected = hmac.new(b"simulator-callback-secret", received.body, hashlib.sha256).hexdigest()
    assert received.path == "/pay/callback"
    assert received.headers["Content-Type"] == "application/json"
    assert received.headers["X-Signature"] == expected
    assert received.body == scene.api.status(scene.session.id).body
    assert json.loads(received.body)["status"] == "paid"


def test_a_failed_session_carries_a_reason_for_each_declined_attempt(scene: Scene) -> None:
    """In the documented form."""
    scene.sim.attempt(scene.session.id, scene.sim.card("14"))
    scene.sim.decline(scene.session.id, "1A")

    first, second = scene.shop.told("declineReasons")[0]
    assert first["responseCode"] == "14"
    assert second["responseCode"] == "1A"
    assert second["responseReasonEn"] == "3D-Secure authentication failed"
    assert second["transactionId"] == first["transactionId"] + 1


def test_a_declined_attempt_leaves_the_session_payable(scene: Scene) -> None:
    """A card without funds is approved on the retry, and nobody is told of the attempts."""
    assert scene.sim.attempt(scene.session.id, scene.sim.card("05")) == "05"
    assert scene.sim.attempt(scene.session.id, scene.sim.card("51")) == "51"
    assert scene.shop.received == []

    assert scene.sim.attempt(scene.session.id, scene.sim.card("51")) is None
    scene.sim.settle()
    assert scene.session.status == "paid"
    assert "declineReasons" not in json.loads(scene.shop.received[0].body)


def test_a_session_expires_after_15_minutes(scene: Scene) -> None:
    """And says so by callback."""
    scene.sim.clock.step(15 * 60 - 1)
    assert scene.api.status(scene.session.id).json["status"] == "pending"

    scene.sim.clock.step(1)
    assert scene.api.status(scene.session.id).json["status"] == "expired"
    assert scene.shop.told("status")[0] == "expired"


def test_a_paid_session_does_not_expire(scene: Scene) -> None:
    """Its end has come already."""
    scene.pay()
    scene.sim.clock.step(16 * 60)

    assert scene.session.status == "paid"
    assert len(scene.shop.received) == 1


def test_a_callback_is_attempted_three_times_five_minutes_apart(scene: Scene) -> None:
    """With the same bytes, and then never again."""
    scene.shop.code = 500
    delivery = scene.pay()

    counts = []
    for _ in range(4):
        scene.sim.clock.step(299)
        counts.append(len(scene.shop.received))
        scene.sim.clock.step(1)
        counts.append(len(scene.shop.received))

    assert counts == [1, 2, 2, 3, 3, 3, 3, 3]
    assert delivery.state == "given up"
    assert len({(one.body, one.headers["X-Signature"]) for one in scene.shop.received}) == 1


@pytest.mark.parametrize("code", [201, 204, 302, 400, 401, 404, 503])
def test_only_200_ends_redelivery(scene: Scene, code: int) -> None:
    """No other code does, not even another success."""
    scene.shop.code = code
    scene.pay()
    scene.shop.code = 200
    scene.sim.clock.step(600)

    assert len(scene.shop.received) == 2


def test_a_session_without_callback_url_reports_to_nobody(sim: Simulator, api: Bare) -> None:
    """Its status can still be asked for."""
    session_id = api.create().json["session_id"]

    assert sim.pay(session_id) is None
    assert api.status(session_id).json["status"] == "paid"


def test_a_session_that_is_over_can_be_paid_late_alone_and_is_paid_for_good(
    scene: Scene,
) -> None:
    """Not even a late decline changes that."""
    scene.sim.expire(scene.session.id)
    with pytest.raises(SessionOverError, match="expired already"):
        scene.pay()

    scene.sim.pay(scene.session.id, late=True)
    with pytest.raises(SessionOverError):
        scene.sim.decline(scene.session.id, late=True)

    assert scene.session.status == "paid"
