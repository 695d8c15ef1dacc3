"""A rehearsal with the simulator: what is as assumed, and what is not."""

import json
from typing import Any

import pytest

from spayon_flask.rehearsal.assumptions import ALONE, NOBODY, PAY, REGISTER, WAIT, by_id
from spayon_flask.rehearsal.report import as_text
from spayon_flask.simulator.shape import SWITCHES
from spayon_flask.testing import Payer, connect
from tests.kept import dispose
from tests.rehearsal.conftest import Person, Staged, outcomes
from tests.shop import make_shop


def ids(*steps: str | None) -> set[str]:
    return {each.id for each in REGISTER if each.step in steps}


def test_by_itself_it_finds_all_as_assumed_and_does_not_say_yes(stage: Staged) -> None:
    report = stage().rehearse()

    assert outcomes(report, "same") == ids(ALONE) - {"product-id"}
    assert outcomes(report, "not tried") == ids(PAY, WAIT, NOBODY) | {"product-id"}
    assert report["exit_code"] == 2
    assert "no payment was seen: run it with --pay" in report["verdict"]


def test_with_a_payer_it_says_yes(stage: Staged) -> None:
    report = stage().rehearse(pay=True, wait=True, product_id=1)

    assert outcomes(report, "same") == ids(ALONE, PAY, WAIT)
    assert report["exit_code"] == 0


def test_what_a_person_leaves_out_is_not_tried_and_the_payment_is_needed(stage: Staged) -> None:
    for left_out, code in (("card that works", 2), ("declined", 0), ("back", 0)):
        staged = stage()
        staged.person = Person(left_out)
        report = staged.rehearse(pay=True)

        assert outcomes(report, "stopped") == outcomes(report, "differs") == set()
        assert report["exit_code"] == code


def test_who_says_that_it_is_done_and_has_not_paid_is_not_told_yes(stage: Staged) -> None:
    staged = stage()
    staged.person.do = lambda *_: True  # type: ignore[method-assign]  # a person who does nothing
    report = staged.rehearse(pay=True)

    assert "callback-understood" in outcomes(report, "stopped")
    assert report["exit_code"] == 2


#: One other answer for each switch; what is tried has to be other in exactly that line.
OTHERS: dict[str, Any] = {
    each.switch: SWITCHES[each.switch].values[-1]
    for each in REGISTER
    if each.switch and not each.item and SWITCHES[each.switch].values
} | {
    "expires_in": "text",
    "required": ["email", "full_name"],
    "used_order": "refused",
    # Numbers and names have no list of values.
    "token_lifetime": 1800,
    "session_lifetime": 1200,
    "return_parameter": "sessionId",
    "cancel_parameter": "session_id",
    "signature_header": "X-Spayon-Signature",
    "attempts": 2,
    "spacing": 120,
    "patience": 0.5,
}

SINGLE = [
    (each.id, {each.switch: [each.item] if each.item else OTHERS[each.switch]})
    for each in REGISTER
    if each.switch and each.step is not NOBODY
]

#: What else is seen by another id, if an entry is not as assumed.
FOLLOWS = {
    "signature-header": {"callback-understood", "failure-understood"},
    "signature-form": {"callback-understood", "failure-understood"},
    "order-id-echoed": {"report-understood"},
    "used-order-id": set(),
    "lower-case-currency": {"creation-accepted", "currencies"},
}


@pytest.mark.thorough
@pytest.mark.parametrize(("name", "switches"), SINGLE, ids=[name for name, _ in SINGLE])
def test_one_line_is_other_if_the_gateway_is(
    stage: Staged, name: str, switches: dict[str, Any]
) -> None:
    """And the report says in words what to do, if there is anything to do."""
    assumption = by_id(name)
    staged = stage(**switches)
    hang = 1.5 if name == "callback-timeout" else 0.1
    pay, wait = assumption.step == PAY, assumption.step == WAIT
    report = staged.rehearse(pay=pay, wait=wait, hang=hang)
    differs, works = outcomes(report, "differs"), outcomes(report, "works")

    assert differs | works == {name} | FOLLOWS.get(name, set())
    assert report["exit_code"] == (1 if differs else 0 if pay else 2)
    assert (assumption.otherwise in as_text(report)) == (name in differs)


def test_the_simulator_learns_from_a_report_and_gives_the_same_one(stage: Staged) -> None:
    refused = ["decimal-price", "upper-case-currency", "language-hy", "long-product-name"]
    turned = {**OTHERS, "refused": refused}
    first = stage(**turned).rehearse(pay=True, wait=True, hang=3.0)
    again = stage(like=json.loads(json.dumps(first))).rehearse(pay=True, wait=True, hang=3.0)

    assert [(each["id"], each["seen"]) for each in first["lines"]] == [
        (each["id"], each["seen"]) for each in again["lines"]
    ]
    assert len(outcomes(first, "differs") | outcomes(first, "works")) > 30


@pytest.mark.parametrize("used_order", ["refused", "the same session"])
def test_a_payer_of_tests_pays_at_a_simulator_like_a_report(used_order: str) -> None:
    """Also an order of which a payment failed, and one of which a payment expired."""
    shop = make_shop()
    simulator = connect(shop.app)
    simulator.shape.change(used_order=used_order)
    payer = Payer(shop.app, simulator)

    for number, end in enumerate((payer.decline, payer.expire)):
        order_id = shop.add_order(f"A{number}")
        end(order_id)
        payer.pay(order_id)
        assert shop.paid_times(order_id) == 1

    dispose(shop)


def test_waiting_takes_half_an_hour_and_says_until_when(stage: Staged) -> None:
    staged = stage()
    staged.rehearse(wait=True)

    assert 31 * 60 < staged.slept <= 34 * 60
    assert len([each for each in staged.told if "until " in each]) > 20
