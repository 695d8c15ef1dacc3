"""A rehearsal against the simulator: what is as assumed, and what is not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from spayon_flask.assumptions import REGISTER
from spayon_flask.assumptions import by_id
from spayon_flask.cli.rehearse import report as reports
from spayon_flask.cli.rehearse.rehearsal import ALONE
from spayon_flask.cli.rehearse.rehearsal import WITH_PAYER
from tests.rehearsal.conftest import Staged
from tests.rehearsal.conftest import outcomes


def ids(*steps: str) -> set[str]:
    return {each.id for each in REGISTER if each.step in steps}


def test_all_that_is_asked_without_a_payer_is_as_assumed(stage: Staged) -> None:
    report = stage().rehearse()

    assert outcomes(report, "differs") == set()
    assert outcomes(report, "same") == ids("alone")
    assert outcomes(report, "not tried") == ids("payer", "redelivery", "")


def test_the_whole_rehearsal_is_as_assumed(stage: Staged) -> None:
    staged = stage()
    report = staged.rehearse(pay=True, redelivery=True)

    assert outcomes(report, "differs") == set()
    assert outcomes(report, "same") == ids("alone", "payer", "redelivery")
    assert staged.exit_code == 0


#: One other answer for each switch; what is tried has to differ in exactly that line.
OTHERS: dict[str, Any] = {
    "token_code": 201,
    "token_lifetime": 1800,
    "expires_in": "text",
    "jwt_lifetime": "half",
    "old_tokens": "die",
    "wrong_secret_code": 403,
    "wrong_token_code": 403,
    "creation_code": 201,
    "creation_keys": "camel",
    "required": ["email", "full_name"],
    "used_order": "refused",
    "session_lifetime": 1200,
    "unknown_session_code": 400,
    "malformed_session_code": 400,
    "fresh_status": "created",
    "status_answer": "with a key more",
    "return_parameter": "sessionId",
    "cancel_parameter": "session_id",
    "back": "ends the session",
    "fails": "at the first decline",
    "declines": "missing",
    "left_out": "updatedAt",
    "order_id": "changed",
    "times": "seconds",
    "price": "padded",
    "price_type": "number",
    "currency": "lower",
    "key_order": "status",
    "signature_header": "X-Spayon-Signature",
    "signature": "base64",
    "content_type": "text/plain",
    "attempts": 2,
    "spacing": 120,
    "patience": 0.5,
    "delivered_by": "any 2xx",
}

SINGLE = [
    pytest.param(each.id, {each.switch: OTHERS[each.switch]}, id=each.id)
    for each in REGISTER
    if each.switch and not each.item
] + [
    pytest.param(each.id, {each.switch: [each.item]}, id=each.id) for each in REGISTER if each.item
]


@pytest.mark.parametrize(("name", "switches"), SINGLE)
def test_exactly_one_line_differs_if_the_gateway_does(
    stage: Staged, name: str, switches: dict[str, Any]
) -> None:
    """And the report says in words what that means for a shop."""
    assumption = by_id(name)
    step = assumption.step
    slow = name == "callback-timeout"
    staged = stage(**switches)
    report = staged.rehearse(
        pay=step == "payer", redelivery=step == "redelivery", hang=1.5 if slow else 0.1
    )

    assert outcomes(report, "differs") == {name}
    assert staged.exit_code == 1

    (line,) = (each for each in report["lines"] if each["id"] == name)
    told = reports.as_text(report).split(f"differs    {name}: {assumption.assumed}\n")[1]
    seen, meaning = (each.strip() for each in told.splitlines()[:2])
    assert seen.startswith("seen: ")
    # A text is written as it is, and anything else as JSON.
    assert f"seen: {line['seen']};" in seen or f"seen: {json.dumps(line['seen'])};" in seen
    assert meaning == f"what it means: {assumption.otherwise}"


REDELIVERED = [each for each in SINGLE if by_id(str(each.id)).step == "redelivery"]


@pytest.mark.parametrize(("name", "switches"), REDELIVERED)
def test_the_sessions_of_a_payer_serve_for_the_redelivery(
    stage: Staged, name: str, switches: dict[str, Any]
) -> None:
    hang = 1.5 if name == "callback-timeout" else 0.1
    staged = stage(**switches)
    report = staged.rehearse(pay=True, redelivery=True, hang=hang)

    assert outcomes(report, "differs") == {name}
    assert outcomes(report, "not tried") == ids("")
    assert len(staged.person.asked) == 5
    # Eleven by itself, three of the payer, and one that expires.
    assert staged.sim.sessions.created == 15


@pytest.mark.parametrize("switches", [{}, {"back": "ends the session"}])
def test_a_redelivery_takes_seventeen_minutes_with_a_payer(
    stage: Staged, switches: dict[str, Any]
) -> None:
    staged = stage(**switches)
    staged.rehearse(pay=True)
    before = staged.slept
    staged.rehearse(pay=True, redelivery=True)

    assert 16 * 60 < staged.slept - before <= (WITH_PAYER + 1) * 60


def test_a_redelivery_takes_half_an_hour_by_itself(stage: Staged) -> None:
    staged = stage()
    staged.rehearse()
    before = staged.slept
    staged.rehearse(redelivery=True)

    assert 31 * 60 < staged.slept - before <= (ALONE + 1) * 60


def test_a_payer_of_before_does_not_serve_for_the_redelivery(stage: Staged) -> None:
    """Their callbacks were not refused."""
    staged = stage()
    staged.rehearse(pay=True)
    report = staged.rehearse(pay=True, redelivery=True, resume=True)

    assert outcomes(report, "differs") == set()
    assert outcomes(report, "not tried") == ids("")
    assert staged.sim.sessions.created == 17


def test_the_simulator_learns_from_a_report_and_gives_the_same_one(stage: Staged) -> None:
    turned = {
        **OTHERS,
        "refused": ["decimal-price", "upper-case-currency", "language-hy", "long-product-name"],
    }
    first = stage(**turned).rehearse(pay=True, redelivery=True, hang=3.0)
    again = stage(like=json.loads(json.dumps(first))).rehearse(pay=True, redelivery=True, hang=3.0)

    assert first["lines"] == again["lines"]
    assert first["facts"].keys() == again["facts"].keys()
    assert len(outcomes(first, "differs")) > 30
