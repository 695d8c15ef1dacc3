"""Promise 2, the other side: what a handler may do with the transaction, and what it may not."""

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from tests.promises.helpers import counts_once_mended, is_undone
from tests.reports import report
from tests.shop import Shop


def _lets_it_out(shop: Shop, ending: str) -> None:
    getattr(shop.db.session, ending)()


def _hides_it(shop: Shop, ending: str) -> None:
    with contextlib.suppress(Exception):
        getattr(shop.db.session, ending)()


def _insists_and_goes_on(shop: Shop, ending: str) -> None:
    for _attempt in range(3):
        _hides_it(shop, ending)

    shop.db.session.get_one(shop.orders, "A1").paid_times += 1
    _hides_it(shop, "commit")


@pytest.mark.parametrize("meddle", [_lets_it_out, _hides_it, _insists_and_goes_on])
@pytest.mark.parametrize("ending", ["commit", "rollback", "close", "remove"])
def test_a_handler_that_ends_the_transaction_is_stopped_and_undone(
    pending_shop: Shop,
    meddle: Callable[[Shop, str], object],
    ending: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    is_undone(pending_shop, lambda *_: meddle(pending_shop, ending))

    assert "must neither commit, roll back nor close" in caplog.text
    counts_once_mended(pending_shop)


COMMITS: dict[str, Callable[[Any], object]] = {
    "in a savepoint": lambda session: session.begin_nested().session.commit(),
    "the connection": lambda session: session.connection().commit(),
    "its transaction": lambda session: session.connection().get_transaction().commit(),
}


@pytest.mark.parametrize("commit", COMMITS.values(), ids=COMMITS)
def test_a_handler_that_commits_in_another_way_is_stopped_and_undone(
    pending_shop: Shop, commit: Callable[[Any], object], caplog: pytest.LogCaptureFixture
) -> None:
    is_undone(pending_shop, lambda *_: commit(pending_shop.db.session))

    assert "must neither commit, roll back nor close" in caplog.text
    counts_once_mended(pending_shop)


def test_a_handler_may_use_savepoints(pending_shop: Shop) -> None:
    def handle(_: str, __: object) -> None:
        session = pending_shop.db.session

        with session.begin_nested():
            session.add(pending_shop.orders(id="kept", price="1", currency="AMD"))

        with contextlib.suppress(IntegrityError), session.begin_nested():
            session.add(pending_shop.orders(id="A1", price="1", currency="AMD"))

        nested = session.begin_nested()
        session.add(pending_shop.orders(id="undone", price="1", currency="AMD"))
        session.flush()
        nested.rollback()

    pending_shop.handle = handle
    assert pending_shop.deliver(report()) == 200
    assert (pending_shop.payment().status, pending_shop.paid_times()) == ("paid", 1)

    with pending_shop.app.app_context():
        assert pending_shop.db.session.get(pending_shop.orders, "kept") is not None
        assert pending_shop.db.session.get(pending_shop.orders, "undone") is None


def test_a_swallowed_integrity_error_of_a_flush_is_a_failed_handler(pending_shop: Shop) -> None:
    def handle(_: str, __: object) -> None:
        session = pending_shop.db.session
        session.expunge_all()
        session.add(pending_shop.orders(id="A1", price="1", currency="AMD"))

        with contextlib.suppress(IntegrityError):
            session.flush()

    is_undone(pending_shop, handle)
    counts_once_mended(pending_shop)


@pytest.mark.always
def test_a_swallowed_error_of_a_statement_loses_nothing(pending_shop: Shop) -> None:
    twice = insert(pending_shop.orders).values(id="A1", price="1", currency="AMD")

    def handle(_: str, __: object) -> None:
        pending_shop.db.session.flush()

        with contextlib.suppress(IntegrityError):
            pending_shop.db.session.execute(twice)

    pending_shop.handle = handle
    answer = pending_shop.deliver(report())

    # PostgreSQL gives up the transaction then; the others go on with it.
    paid = pending_shop.paid_times()
    assert (answer, paid) in {(200, 1), (500, 0)}
    assert pending_shop.payment().status == ("paid" if paid else "pending")
    counts_once_mended(pending_shop)


def test_an_object_that_cannot_be_flushed_is_a_failed_handler(pending_shop: Shop) -> None:
    is_undone(pending_shop, lambda *_: pending_shop.db.session.add(pending_shop.orders(id="A2")))
    counts_once_mended(pending_shop)


def test_a_handler_sees_the_payment_as_it_will_be(pending_shop: Shop) -> None:
    seen = []

    def handle(status: str, payment: Any) -> None:
        seen.append((payment.status, payment.price, payment.session_url, payment.reference))

    pending_shop.handle = handle
    pending_shop.deliver(report())
    paid = pending_shop.payment()

    assert seen == [("paid", paid.price, paid.session_url, paid.reference)]
