"""Promise 3 for an order with several payments: one that ends does not undo one that is paid."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from spayon_flask import signals
from tests.promises.helpers import Fleet, at_once, just_before, payments, reconcile, settle
from tests.reports import report
from tests.shop import Shop

ENDINGS = ["failed", "expired"]


def _two_payments(shop: Shop) -> None:
    """Insert an order whose payment S1 was let go, and whose payment S2 holds it."""
    shop.add_pending("S1", held_order_id=None)
    shop.add_payment("S2")


@contextmanager
def _heard(signal: str) -> Iterator[list[str | None]]:
    """Collect the sessions of the payments that a signal tells of inside the block."""
    told: list[str | None] = []

    def note(_: str, payment: Any, **__: object) -> None:
        told.append(payment.session_id)

    with getattr(signals, signal).connected_to(note):
        yield told


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_handler_hears_of_the_end_of_an_order_that_another_payment_paid(
    any_shop: Shop, ending: str
) -> None:
    _two_payments(any_shop)
    any_shop.deliver(report("S2", "paid"))

    with _heard(f"payment_{ending}") as told:
        assert any_shop.deliver(report("S1", ending)) == 200

    assert any_shop.payment("S1").status == ending
    # The signals tell of it all the same.
    assert (any_shop.handled, told) == ([("A1", "paid")], ["S1"])


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_end_of_a_payment_session_is_told_while_no_other_is_paid(
    any_shop: Shop, ending: str
) -> None:
    _two_payments(any_shop)

    any_shop.deliver(report("S1", ending))
    any_shop.deliver(report("S2", ending))

    assert any_shop.handled == [("A1", ending)] * 2


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(("ended", "paid"), [("S2", "S1"), ("S1", "S2")], ids=["holder", "other"])
@pytest.mark.always
def test_a_payment_that_ends_at_the_moment_another_one_is_paid_ends_in_silence(
    any_shop: Shop, twin: Shop, ended: str, paid: str, ending: str
) -> None:
    _two_payments(any_shop)

    def pay() -> None:
        assert any_shop.deliver(report(paid, "paid")) == 200

    # The twin has seen by then that S2 holds the order.
    with just_before(twin, "INSERT INTO spayon_callback", pay):
        assert twin.deliver(report(ended, ending)) == 200

    assert (any_shop.payment(ended).status, any_shop.payment(paid).status) == (ending, "paid")
    assert (any_shop.handled, twin.handled) == ([("A1", "paid")], [])


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_payment_that_ends_waits_for_one_that_is_being_paid(
    server_shop: Shop, fleet: Fleet, ending: str
) -> None:
    _two_payments(server_shop)
    twin = fleet.join(server_shop)
    handling, decided = threading.Event(), threading.Event()

    def wait(*_: object) -> None:
        handling.set()
        # Whoever does not wait for this handler has decided by then.
        decided.wait(0.5)

    def end() -> int:
        assert handling.wait(10)
        answer = twin.deliver(report("S1", ending))
        decided.set()
        return answer

    server_shop.handle = wait

    assert at_once([lambda: server_shop.deliver(report("S2", "paid")), end]) == [200, 200]
    assert [each.status for each in payments(server_shop)] == [ending, "paid"]
    assert (server_shop.handled, twin.handled) == ([("A1", "paid")], [])


def test_a_second_payment_that_a_person_refuses_is_not_told_as_failed(any_shop: Shop) -> None:
    _two_payments(any_shop)
    any_shop.deliver(report("S2", "paid"))
    any_shop.deliver(report("S1", "paid"))
    any_shop.handled.clear()

    settle(any_shop, "S1", accept=False)
    assert any_shop.payment("S1").status == "failed"
    assert any_shop.handled == []


def test_nobody_hears_that_a_payment_expired_for_which_there_never_was_a_session(
    any_shop: Shop,
) -> None:
    any_shop.add_pending(None)
    any_shop.clock.step(15 * 60)

    with _heard("payment_expired") as told:
        reconcile(any_shop)

    assert [each.status for each in payments(any_shop)] == ["expired"]
    assert (any_shop.handled, told) == ([], [None])
