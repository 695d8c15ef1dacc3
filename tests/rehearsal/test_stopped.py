"""A rehearsal that is killed at any step and goes on: nothing is asked or paid twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from spayon_flask.assumptions import REGISTER
from spayon_flask.cli.rehearse import gateway as gateways
from spayon_flask.client.probe import probe
from tests.rehearsal.conftest import Person
from tests.rehearsal.conftest import Stage
from tests.rehearsal.conftest import Staged
from tests.rehearsal.conftest import outcomes


class KilledError(BaseException):
    """The process is gone."""


def creations(stage: Stage) -> int:
    return stage.sim.requests.count("POST /api/product/session")


def test_nothing_reaches_the_shop(stage: Staged) -> None:
    staged = stage()
    staged.shop.add_order()
    staged.rehearse(pay=True, redelivery=True)

    with staged.shop.app.app_context():
        db, spayon = staged.shop.db, staged.shop.spayon
        counts = [
            db.session.scalar(db.select(db.func.count()).select_from(model))
            for model in (spayon.Payment, spayon.Callback)
        ]

    assert counts == [0, 0]
    assert staged.shop.handled == []
    assert staged.shop.paid_times() == 0


# By itself it makes 20 calls.
@pytest.mark.parametrize("number", range(1, 21))
def test_killed_ahead_of_any_call_it_goes_on(
    stage: Staged, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged = stage()
    calls = 0

    def killed_once(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1

        if calls == number:
            raise KilledError

        return probe(*arguments, **options)

    monkeypatch.setattr(gateways, "probe", killed_once)

    with pytest.raises(KilledError):
        staged.rehearse()

    report = staged.rehearse(resume=True)

    assert outcomes(report, "differs") == set()
    assert len(outcomes(report, "same")) > 25
    # One creation for each question, whenever it was killed.
    assert creations(staged) == 11
    assert len(staged.told) - len({*staged.told}) == 1


def test_killed_while_it_leaves_out_one_field_after_the_other_it_goes_on(
    stage: Staged, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = stage(required=["full_name"])
    whole.rehearse()

    for number in (12, 15, 19):
        staged = stage(required=["full_name"])
        left = number

        def killed_once(*arguments: Any, **options: Any) -> Any:
            nonlocal left
            left -= 1

            if left == 0:
                raise KilledError

            return probe(*arguments, **options)

        monkeypatch.setattr(gateways, "probe", killed_once)

        with pytest.raises(KilledError):
            staged.rehearse()

        report = staged.rehearse(resume=True)
        monkeypatch.undo()

        assert outcomes(report, "differs") == {"creation-required-fields"}
        assert creations(staged) == creations(whole) == 21


class Dying(Person):
    """A person at whom the process dies, before or after the person has done as told."""

    def __init__(self, at: int, *, after: bool) -> None:
        super().__init__()
        self.at = at
        self.after = after

    def do(self, what: str, url: str) -> None:
        dies = len(self.asked) + 1 == self.at

        if dies and not self.after:
            self.asked.append("died")
            raise KilledError

        super().do(what, url)

        if dies:
            raise KilledError


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_killed_while_a_person_pays_it_goes_on_and_nothing_is_paid_twice(
    stage: Staged, at: int, after: bool
) -> None:
    staged = stage()
    staged.person = Dying(at, after=after)

    with pytest.raises(KilledError):
        staged.rehearse(pay=True)

    staged.sim.settle()
    report = staged.rehearse(pay=True, resume=True)
    sessions = Counter(session.status for session in staged.sim.sessions)

    assert outcomes(report, "differs") == set()
    assert sessions["paid"] == 1
    assert creations(staged) == 14
    # Who was asked to pay, and has paid, is not asked again.
    asked = [each for each in staged.person.asked if "pay with a card that works" in each]
    assert len(asked) == 1


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", [1, 2, 3, 4, 5])
def test_killed_while_a_person_serves_for_the_redelivery_it_goes_on(
    stage: Staged, at: int, after: bool
) -> None:
    staged = stage()
    staged.person = Dying(at, after=after)

    with pytest.raises(KilledError):
        staged.rehearse(pay=True, redelivery=True)

    staged.sim.settle()
    report = staged.rehearse(pay=True, redelivery=True, resume=True)

    assert outcomes(report, "differs") == set()
    assert outcomes(report, "not tried") == {each.id for each in REGISTER if not each.step}
    assert Counter(session.status for session in staged.sim.sessions)["paid"] == 1
    assert creations(staged) == 15


def test_killed_while_a_person_pays_and_carried_on_without_one(stage: Staged) -> None:
    """What the sessions of the person were to serve for takes sessions of its own."""
    staged = stage()
    staged.person = Dying(3, after=False)

    with pytest.raises(KilledError):
        staged.rehearse(pay=True, redelivery=True)

    report = staged.rehearse(redelivery=True, resume=True)

    assert outcomes(report, "differs") == set()
    assert "redelivery-count" in outcomes(report, "same")


def test_a_person_who_has_paid_in_a_rehearsal_that_ended_does_not_serve(stage: Staged) -> None:
    """Their callbacks were refused, but the receivers are closed since."""
    staged = stage()
    staged.person = Dying(1, after=False)

    with pytest.raises(KilledError):
        staged.rehearse(pay=True, redelivery=True)

    staged.rehearse(pay=True, resume=True)
    report = staged.rehearse(redelivery=True, resume=True)

    assert outcomes(report, "differs") == set()
    assert "redelivery-count" in outcomes(report, "same")


def test_killed_while_it_waits_for_redelivery_it_goes_on(stage: Staged) -> None:
    staged = stage()
    slept = 0.0
    sleeping: Callable[[float], None] = staged.sleep

    def sleep(seconds: float) -> None:
        nonlocal slept
        slept += seconds
        sleeping(seconds)

        if slept > 1200:
            slept = -1e9
            raise KilledError

    staged.sleep = sleep  # type: ignore[method-assign]  # a stand-in

    with pytest.raises(KilledError):
        staged.rehearse(redelivery=True)

    report = staged.rehearse(redelivery=True, resume=True)

    assert outcomes(report, "differs") == set()
    assert "redelivery-count" in outcomes(report, "same")
    assert creations(staged) == 14


def test_a_finished_rehearsal_can_be_carried_on_with_a_payer(stage: Staged) -> None:
    staged = stage()
    staged.rehearse()
    report = staged.rehearse(resume=True, pay=True)

    assert "signature-form" in outcomes(report, "same")
    assert creations(staged) == 14


def test_afterwards_the_receiver_is_closed(stage: Staged) -> None:
    staged = stage()
    staged.rehearse(pay=True)
    session = next(each for each in staged.sim.sessions if each.status == "paid")
    (delivery,) = staged.sim.deliver(session.id)

    assert delivery.status_code == 404


def test_a_callback_to_the_shop_s_own_address_is_acknowledged_and_recorded_nowhere(
    stage: Staged,
) -> None:
    staged = stage()
    staged.sim.panel.callback_url = f"{staged.state.settings.public_url}/pay/callback"
    staged.rehearse()
    # The one that named no callback_url: Spayon goes by the admin panel.
    session = next(each for each in staged.sim.sessions if each.order_id is None)
    delivery = staged.sim.expire(session.id)

    assert delivery is not None
    assert delivery.status_code == 200
    assert staged.shop.callbacks() == []


@pytest.mark.parametrize("key", ["0" * 32, "..", "x", "A" * 32])
def test_nobody_else_is_let_in(stage: Staged, key: str) -> None:
    staged = stage()
    client = staged.shop.app.test_client()

    for what in ("callback", "return", "cancel"):
        assert client.post(f"/pay/rehearsal/{key}/{what}").status_code == 404


def test_a_receiver_keeps_no_more_than_sixty_requests(stage: Staged) -> None:
    staged = stage()
    rehearsals = staged.state.rehearsals
    rehearsals.begin()
    rehearsals.open("0" * 32, [])
    client = staged.shop.app.test_client()

    for _ in range(65):
        assert client.get(f"/pay/rehearsal/{'0' * 32}/return?a=b").status_code == 200

    assert client.post(f"/pay/rehearsal/{'0' * 32}/callback", data=b"x" * 70000).status_code == 400
    assert len(rehearsals.events("0" * 32)) == 60
