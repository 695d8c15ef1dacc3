"""What people decide and note at the desk: once, with a name and a reason, on each database."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from spayon_flask.simulator import Simulator
from tests.kept import dispose
from tests.live import shop_at
from tests.reports import report
from tests.shop import Shop
from tests.staff.conftest import Desk
from tests.staff.test_pages import pay, words


def held_back(shop: Shop) -> None:
    """Let a payment come under review."""
    shop.add_pending()
    shop.deliver(report(price="7"))
    shop.handled.clear()


@pytest.mark.parametrize(
    ("decision", "consequence", "status"),
    [
        ("accept", "the goods may go out", "paid"),
        ("refuse", "This does not refund the buyer: do that in Spayon’s panel.", "failed"),
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

    looked = desk.get("/1/decide?decision=refuse", follow_redirects=True)
    tried = desk.post("/1/decide", decision="refuse", reason="wrong")

    assert (looked.status_code, tried.status_code) == (200, 409)
    said = "Ani decided on 22 November 2026, 12:00 UTC: the payment was accepted."
    assert said in words(looked.text)
    assert f"{said} Your decision was not recorded." in words(tried.text)

    assert desk.shop.payment().status == "paid"
    assert desk.shop.paid_times() == 1


def test_two_people_settle_at_the_same_moment_and_one_decision_stands(any_desk: Desk) -> None:
    shop = any_desk.shop
    held_back(shop)
    names = threading.local()
    any_desk.person.name = lambda: names.value
    tokens = {}

    for name in ("Ani", "Aram"):
        names.value = name
        tokens[name] = any_desk.token()

    ready = threading.Barrier(2, timeout=30)

    def decide(name: str, decision: str) -> Any:
        names.value = name
        data = {"csrf_token": tokens[name], "decision": decision, "reason": f"{name} says so"}
        ready.wait()
        return shop.app.test_client().post("/staff/payments/1/decide", data=data)

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

    page = desk.get("/2").text
    accepted = desk.post("/2/decide", decision="accept", reason="x")

    assert "Refuse …" in page
    assert "Accept …" not in page
    assert (
        "The order stays paid by the other payment." in desk.get("/2/decide?decision=refuse").text
    )
    assert (accepted.status_code, desk.shop.payment("S2").status) == (303, "review")
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
    assert payment.refunded_price == 1000
    assert "Ani noted that 1,000 AMD was given back" in words(any_desk.get("/1").text)


def test_a_refund_comes_in_parts_until_the_whole_is_reached(any_desk: Desk) -> None:
    pay(any_desk.shop, "A1", "S1")
    left = [Decimal(0), Decimal("250.5"), Decimal(1000)]

    for amount, seen, code in (
        ("250,50", "0", 303),
        ("750", "250.5", 422),
        ("0", "250.5", 422),
        ("much", "250.5", 422),
        ("10", "0", 409),
        ("", "250.5", 303),
        ("1", "1000", 422),
    ):
        answer = any_desk.post("/1/refund", reason="broken", amount=amount, seen=seen)
        assert answer.status_code == code, amount
        assert (any_desk.shop.payment().refunded_price or 0) in left

    text = words(any_desk.get("/1").text)
    assert "Ani noted that 250.50 AMD was given back in Spayon’s panel: “broken”." in text
    assert "Ani noted that 749.50 AMD was given back in Spayon’s panel: “broken”." in text
    assert "Given back 1,000 AMD Left 0 AMD" in text
    assert any_desk.shop.payment().refunded_price == 1000


def test_the_note_of_an_amount_that_cannot_be_read_has_no_amount(desk: Desk) -> None:
    pay(desk.shop, "A1", "S1", price="a lot")
    desk.post("/1/decide", decision="accept", reason="the bank has it")

    assert "spayon-amount" not in desk.get("/1/refund").text
    assert desk.post("/1/refund", reason="broken").status_code == 303
    payment = desk.shop.payment()
    assert (payment.refunded_by, payment.refunded_price) == ("Ani", None)
    assert "amount cannot be read" in words(desk.get("/list").text)


def test_a_note_of_a_refund_that_was_a_mistake_is_taken_back(any_desk: Desk) -> None:
    pay(any_desk.shop, "A1", "S1")
    any_desk.post("/1/refund", reason="the first part", amount="10")
    any_desk.post("/1/refund", reason="the wrong order", amount="20", seen="10")
    any_desk.person.name = "Aram"

    any_desk.post("/1/refund", action="take_back")

    payment = any_desk.shop.payment()
    assert (payment.refunded_price, payment.refunded_because) == (10, "the first part")
    page = words(any_desk.get("/1").text)
    assert "The note of the refund is taken back." in page
    assert "Aram took the last note of a refund back." in page
    assert "“the wrong order”" in page
    any_desk.post("/1/refund", action="take_back")
    assert any_desk.shop.payment().refunded_at is None
    any_desk.post("/1/refund", action="take_back")
    assert "Nothing was changed" in words(any_desk.get("/1").text)


def test_what_a_page_says_after_a_redirect_is_said_once(desk: Desk) -> None:
    pay(desk.shop, "A1", "S1")
    desk.post("/1/refund", reason="broken")

    assert "The refund is noted." in desk.get("/1").text
    assert "The refund is noted." not in desk.get("/1").text


def test_only_what_is_paid_can_be_refunded(desk: Desk) -> None:
    held_back(desk.shop)

    assert desk.post("/1/refund", reason="x").status_code == 303
    assert desk.shop.payment().refunded_at is None


@pytest.mark.parametrize(
    ("fields", "first", "sentence"),
    [
        ({"price": "7"}, "Refuse", "though another amount was paid than was asked for"),
        ({"currency": "USD"}, "Refuse", "though in another currency than was asked for"),
        ({"orderId": "Z9"}, "Refuse", "though Spayon named another one"),
        ({"orderId": None}, "Accept", "though Spayon named none"),
        ({"price": "x"}, "Accept", "so it is in no sum of the books"),
    ],
)
def test_each_reason_has_its_own_first_button_and_consequence(
    desk: Desk, fields: dict[str, Any], first: str, sentence: str
) -> None:
    desk.shop.add_pending()
    desk.shop.deliver(report(**fields))

    page = desk.get("/1").text
    primary = re.search(r'spayon-button-primary"[^>]*>(\w+) …', page)

    assert primary is not None
    assert primary[1] == first
    assert sentence in words(desk.get("/1/decide?decision=accept").text)


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

    answer = any_desk.post("/reports/1/hand-over")
    again = any_desk.post("/reports/1/hand-over")

    assert answer.headers["Location"] == again.headers["Location"] == "/staff/payments/1"
    assert given == [1, 1]
    page = words(any_desk.get("/1").text)
    assert "Ani had a report handed over to the shop’s queue again." in page
    assert "Wait a minute." in page
    any_desk.shop.clock.step(60)
    any_desk.post("/reports/1/hand-over")
    assert given == [1, 1, 1]


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

        token = {"csrf_token": desk.token()}
        asked = desk.client.post("/staff/payments/1/ask", data=token)
        page = words(desk.get("/1").text)
        again = desk.client.post("/staff/payments/1/ask", data=token)

        assert asked.headers["Location"] == again.headers["Location"] == "/staff/payments/1"
        assert shop.payment(session_id).status == "paid"
        assert shop.paid_times() == 1
        assert "Spayon was asked and says: Paid." in page
        assert "Somebody has asked Spayon just now." in words(desk.get("/1").text)
        assert "because we asked: Spayon says “paid”" in page
        dispose(shop)


def test_a_gateway_that_is_away_is_said_and_nothing_changes(desk: Desk) -> None:
    desk.shop.add_payment()

    answer = desk.post("/1/ask")

    assert answer.status_code == 503
    assert "Spayon gives no usable answer just now." in answer.text
    assert desk.shop.payment().status == "pending"
