"""The return page: the truth about a payment, from our table."""

from typing import Any

import pytest

from spayon_flask.simulator import Simulator
from tests.promises.helpers import statements
from tests.reports import report
from tests.shop import Shop


@pytest.fixture
def session_id(live_shop: Shop, sim: Simulator) -> str:
    """A payment session that the payer has been sent to."""
    live_shop.add_order()
    live_shop.app.test_client().post("/pay/checkout/A1")
    return next(iter(sim.sessions)).id


def look(shop: Shop, session_id: str = "S1") -> Any:
    return shop.app.test_client().get("/pay/return", query_string={"session_id": session_id})


@pytest.mark.parametrize(
    "query",
    [
        *("", "session_id", "session_id=%FF", "session_id=%ED%A0%80", "session_id=nobody"),
        *("session_id=%00", "session_id=S%C2%85", "session_id=%27%20OR%201%3D1%20--"),
        "session_id=" + "S" * 300,
    ],
)
def test_a_query_string_that_names_no_payment_is_not_found(shop: Shop, query: str) -> None:
    assert shop.app.test_client().get(f"/pay/return?{query}").status_code == 404


def test_the_payer_who_is_back_before_the_callback_sees_paid_at_once(
    live_shop: Shop, sim: Simulator, session_id: str
) -> None:
    sim.fault("callback_lost", times=9)
    sim.pay(session_id)

    assert 'data-state="paid"' in look(live_shop, session_id).text
    assert live_shop.paid_times() == 1
    assert [row.source for row in live_shop.callbacks()] == ["status_check"]


def test_many_tabs_make_one_status_call_in_an_interval(
    live_shop: Shop, sim: Simulator, session_id: str
) -> None:
    for _ in range(20):
        look(live_shop, session_id)

    assert sim.requests.count("GET /api/product/session/{session_id}") == 1

    live_shop.clock.step(5)
    look(live_shop, session_id)

    assert sim.requests.count("GET /api/product/session/{session_id}") == 2


def test_a_final_payment_is_not_asked_about(
    live_shop: Shop, sim: Simulator, session_id: str
) -> None:
    sim.pay(session_id)
    sim.requests.reset()

    look(live_shop, session_id)

    assert sim.requests.count() == 0


@pytest.mark.parametrize("fault", ["error", "drop_before", "html", "truncated"])
def test_with_the_gateway_in_trouble_pending_is_the_truth(
    live_shop: Shop, sim: Simulator, session_id: str, fault: str
) -> None:
    sim.fault(fault, on="status", times=None)
    page = look(live_shop, session_id)

    assert page.status_code == 200
    assert 'data-state="pending"' in page.text


def test_a_declined_payment_says_why_and_offers_another_try(shop: Shop) -> None:
    shop.add_payment()
    shop.deliver(
        report(
            status="failed",
            declineReasons=[
                {
                    "transactionId": 161,
                    "responseCode": "1A",
                    "responseReasonEn": "3D-Secure authentication failed",
                },
                {"responseCode": "SP-99", "responseReasonEn": "Card is <b>tired</b>"},
            ],
        )
    )
    text = look(shop).text

    assert 'data-state="failed"' in text
    assert "/pay/checkout/A1" in text
    assert "Card is &lt;b&gt;tired&lt;/b&gt;" in text


def test_a_pending_page_runs_four_statements_of_ours_at_most(
    live_shop: Shop, session_id: str
) -> None:
    for _ in range(3):
        with statements(live_shop) as ran:
            assert 'data-state="pending"' in look(live_shop, session_id).text

        assert 2 <= len([each for each in ran if "spayon_" in each]) <= 4, ran
        live_shop.clock.step(6)
