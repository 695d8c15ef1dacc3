"""What people decide and note at the desk: once, with a name and a reason, on each database."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from spayon_flask.simulator import Simulator
from tests.conftest import dispose
from tests.live import shop_at
from tests.reports import report
from tests.shop import Shop
from tests.staff.conftest import Desk
from tests.staff.test_pages import pay
from tests.staff.test_pages import words


def held_back(shop: Shop) -> None:
    """Let a payment come under review."""
    shop.add_order()
    shop.add_payment()
    shop.deliver(report(price="7"))
    shop.handled.clear()


@pytest.mark.parametrize(
    ("decision", "consequence", "status"),
    [
        ("accept", "the goods may go out", "paid"),
        ("refuse", "This does not return the money: do that in Spayon’s panel.", "failed"),
    ],
)
def test_a_decision_is_made_on_a_page_that_repeats_what_it_is_about(
    any_desk: Desk, decision: str, consequence: str, status: str
) -> None:
    held_back(any_desk.shop)

    page = words(any_desk.get(f"/1/decide?decision={decision}").text)
    answer = any_desk.post("/1/decide", decision=decision, reason=" seen \n with the bank ")

    assert "Order A1 Amount 7 AMD Amount asked for 1,000 AMD" in page
    assert consequence in page
    assert answer.status_code == 303
    payment = any_desk.shop.payment()
    assert payment.status == status
    assert (payment.reviewed_by, payment.reviewed_because) == ("Ani", "seen with the bank")
    assert payment.reviewed_at == any_desk.shop.clock()
    assert any_desk.shop.handled == [("A1", status)]


@pytest.mark.parametrize("reason", ["", "  \n ", "x" * 1001, "a\x1bb"])
def test_a_decision_needs_a_reason_that_a_list_can_show(desk: Desk, reason: str) -> None:
    held_back(desk.shop)

    answer = desk.post("/1/decide", decision="refuse", reason=reason)

    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text
    assert "<title>Error: " in answer.text
    assert desk.shop.payment().status == "review"


def test_who_comes_too_late_is_told_who_decided_and_when(desk: Desk) -> None:
    held_back(desk.shop)
    desk.post("/1/decide", decision="accept", reason="right")
    desk.shop.clock.step(60)
    desk.person.name = "Aram"

    answers = [
        desk.get("/1/decide?decision=refuse"),
        desk.post("/1/decide", decision="refuse", reason="wrong"),
    ]

    for answer in answers:
        assert answer.status_code == 409
        assert "Ani decided on 22 November 2026, 12:00 UTC: the payment was accepted." in words(
            answer.text
        )

    assert desk.shop.payment().status == "paid"
    assert desk.shop.paid_times() == 1


def test_two_people_settle_at_the_same_moment_and_one_decision_stands(any_desk: Desk) -> None:
    shop = any_desk.shop
    held_back(shop)
    names = threading.local()
    any_desk.person.name = lambda: names.value
    names.value = "Ani"
    token = any_desk.token()
    cookie = any_desk.client.get_cookie("spayon_staff", path="/staff/payments/")
    assert cookie is not None
    ready = threading.Barrier(2, timeout=30)

    def decide(name: str, decision: str) -> Any:
        names.value = name
        client = shop.app.test_client()
        client.set_cookie("spayon_staff", cookie.value, path="/staff/payments/")
        data = {"csrf_token": token, "decision": decision, "reason": f"{name} says so"}
        ready.wait()
        return client.post("/staff/payments/1/decide", data=data)

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(decide, ("Ani", "Aram"), ("accept", "refuse")))

    assert sorted(each.status_code for each in answers) == [303, 409]
    won = 0 if answers[0].status_code == 303 else 1
    name, status = (("Ani", "paid"), ("Aram", "failed"))[won]
    outcome = ("accepted", "refused")[won]
    payment = shop.payment()
    assert (payment.status, payment.reviewed_by) == (status, name)
    assert payment.reviewed_because == f"{name} says so"
    assert shop.handled == [("A1", status)]
    assert shop.paid_times() == (1 if won == 0 else 0)
    assert f"{name} decided on 22 November 2026, 12:00 UTC: the payment was {outcome}." in words(
        answers[1 - won].text
    )


def test_a_handler_that_fails_leaves_the_payment_under_review(desk: Desk) -> None:
    held_back(desk.shop)
    desk.shop.handle = lambda *_: 1 / 0

    answer = desk.post("/1/decide", decision="accept", reason="right")

    assert answer.status_code == 500
    assert "The shop’s program failed, so nothing was changed." in answer.text
    assert desk.shop.payment().status == "review"
    assert desk.shop.payment().reviewed_by is None


def test_a_second_payment_of_a_paid_order_can_only_be_refused(desk: Desk) -> None:
    pay(desk.shop, "A1", "S1")
    desk.shop.add_payment("S2", "A1", held_order_id=None)
    desk.shop.deliver(report("S2"))

    accepted = desk.post("/2/decide", decision="accept", reason="x")

    assert accepted.status_code == 409
    assert "The order is paid already by another payment" in accepted.text
    assert desk.post("/2/decide", decision="refuse", reason="x").status_code == 303
    assert desk.shop.paid_times() == 1


def test_of_two_under_review_the_first_is_settled_first(desk: Desk) -> None:
    held_back(desk.shop)
    desk.shop.add_payment("S2", "A1", held_order_id=None)
    desk.shop.deliver(report("S2"))

    answer = desk.post("/2/decide", decision="accept", reason="x")

    assert answer.status_code == 409
    assert "Another payment of this order is under review too" in answer.text


def test_the_oldest_under_review_come_first_with_an_instruction_each(any_desk: Desk) -> None:
    for number, fields in enumerate(({"price": "7"}, {"currency": "USD"})):
        any_desk.shop.clock.step(60)
        any_desk.shop.add_payment(f"S{number}", f"A{number}")
        any_desk.shop.deliver(report(f"S{number}", orderId=f"A{number}", **fields))

    text = words(any_desk.get("/reviews").text)

    assert text.index("Order A0") < text.index("Order A1")
    assert "Another amount was paid than was asked for." in text
    assert "It was paid in another currency than was asked for." in text


def test_a_refund_is_noted_once_and_moves_nothing(any_desk: Desk) -> None:
    pay(any_desk.shop, "A1", "S1")
    any_desk.shop.handled.clear()

    page = words(any_desk.get("/1/refund").text)
    first = any_desk.post("/1/refund", reason="broken in the mail")
    any_desk.person.name = "Aram"
    second = any_desk.post("/1/refund", reason="again")

    assert "It moves no money: give the money back in Spayon’s panel." in page
    assert (first.status_code, second.status_code) == (303, 409)
    payment = any_desk.shop.payment()
    assert (payment.status, payment.refunded_by) == ("paid", "Ani")
    assert payment.refunded_because == "broken in the mail"
    assert any_desk.shop.handled == []
    assert "Ani noted that the money was given back" in words(any_desk.get("/1").text)


def test_a_note_of_a_refund_that_was_a_mistake_is_taken_back(any_desk: Desk) -> None:
    pay(any_desk.shop, "A1", "S1")
    any_desk.post("/1/refund", reason="the wrong order")

    answer = any_desk.post("/1/refund", action="take_back")

    assert answer.headers["Location"].endswith("done=taken_back")
    assert any_desk.shop.payment().refunded_at is None


def test_only_what_is_paid_can_be_refunded(desk: Desk) -> None:
    held_back(desk.shop)

    assert desk.post("/1/refund", reason="x").status_code == 404
    assert desk.shop.payment().refunded_at is None


def test_an_unknown_report_is_checked_once(any_desk: Desk) -> None:
    any_desk.shop.deliver(report("S9", orderId="A9"))
    any_desk.post("/unknown/1", reason="another shop's")
    any_desk.person.name = "Aram"

    again = any_desk.post("/unknown/1", reason="mine")

    assert again.status_code == 409
    (row,) = any_desk.shop.callbacks()
    assert (row.seen_by, row.seen_because) == ("Ani", "another shop's")
    assert "Ani checked this on 22 November 2026" in words(any_desk.get("/unknown").text)


def test_a_report_is_handed_over_again(any_desk: Desk) -> None:
    given: list[int] = []
    any_desk.shop.spayon.dispatcher(given.append)
    pay(any_desk.shop, "A1", "S1")

    answer = any_desk.post("/reports/1/hand-over", payment="1")

    assert answer.headers["Location"] == "/staff/payments/1?done=handed_over"
    assert given == [1, 1]


@pytest.mark.parametrize("ending", ["declined", "expired"])
def test_spayon_is_asked_about_a_payment_that_ended_and_a_late_paid_counts(
    sim: Simulator, tmp_path: Path, ending: str
) -> None:
    with shop_at(sim, f"sqlite:///{tmp_path / 'shop.db'}") as shop:
        desk = Desk(shop)
        shop.add_order()
        answer = shop.app.test_client().post("/pay/checkout/A1")
        session_id = answer.headers["Location"].rsplit("/", 1)[1]
        (sim.decline if ending == "declined" else sim.expire)(session_id)
        sim.hold_callbacks()
        sim.pay(session_id, late=True, wait=False)
        shop.clock.step(60)

        asked = desk.post("/1/ask")
        again = desk.post("/1/ask")

        assert asked.headers["Location"] == "/staff/payments/1?said=paid"
        assert again.headers["Location"] == "/staff/payments/1?done=busy"
        assert shop.payment(session_id).status == "paid"
        assert shop.paid_times() == 1
        page = words(desk.get("/1?said=paid").text)
        assert "Spayon was asked and says: Paid." in page
        assert "because we asked: Spayon says “paid”" in page
        dispose(shop)


def test_a_gateway_that_is_away_is_said_and_nothing_changes(desk: Desk) -> None:
    desk.shop.add_payment()

    answer = desk.post("/1/ask")

    assert answer.status_code == 503
    assert "Spayon gives no usable answer just now." in answer.text
    assert desk.shop.payment().status == "pending"
