"""Promise 2, the other side: what a handler may do with the transaction, and what it may not."""

import contextlib
import logging
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from tests.reports import report
from tests.shop import Shop

Meddling = Callable[[Any, Any], None]


def _commit(session: Any, _: Any) -> None:
    session.commit()


def _rollback(session: Any, _: Any) -> None:
    session.rollback()


def _close(session: Any, _: Any) -> None:
    session.close()


def _remove(session: Any, _: Any) -> None:
    session.remove()


def _commit_and_hide_it(session: Any, _: Any) -> None:
    with contextlib.suppress(Exception):
        session.commit()


def _commit_until_it_works(session: Any, _: Any) -> None:
    for _attempt in range(3):
        with contextlib.suppress(Exception):
            session.commit()


def _roll_back_and_go_on(session: Any, orders: Any) -> None:
    with contextlib.suppress(Exception):
        session.rollback()

    session.get(orders, "A1").paid_times += 1

    with contextlib.suppress(Exception):
        session.commit()


def _close_and_go_on(session: Any, orders: Any) -> None:
    session.close()
    session.get(orders, "A1").paid_times += 1

    with contextlib.suppress(Exception):
        session.commit()


def _remove_and_go_on(session: Any, orders: Any) -> None:
    session.remove()
    session.get(orders, "A1").paid_times += 1

    with contextlib.suppress(Exception):
        session.commit()


def _commit_in_a_savepoint(session: Any, _: Any) -> None:
    session.begin_nested()
    session.commit()


def _commit_the_connection(session: Any, _: Any) -> None:
    session.connection().commit()


def _commit_the_transaction_of_the_connection(session: Any, _: Any) -> None:
    session.connection().get_transaction().commit()


MEDDLING = [
    _commit,
    _rollback,
    _close,
    _remove,
    _commit_and_hide_it,
    _commit_until_it_works,
    _roll_back_and_go_on,
    _close_and_go_on,
    _remove_and_go_on,
    _commit_in_a_savepoint,
    _commit_the_connection,
    _commit_the_transaction_of_the_connection,
]


class TestHandlers:
    """A handler writes through `db.session`, and leaves the transaction to us."""

    @pytest.mark.parametrize("meddle", MEDDLING, ids=lambda meddle: meddle.__name__.strip("_"))
    def test_a_handler_that_ends_the_transaction_is_stopped_and_undone(
        self, any_shop: Shop, meddle: Meddling, caplog: pytest.LogCaptureFixture
    ) -> None:
        any_shop.add_pending()
        any_shop.handle = lambda *_: meddle(any_shop.db.session, any_shop.orders)

        with caplog.at_level(logging.ERROR):
            assert any_shop.deliver(report()) == 500

        assert "must neither commit, roll back nor close" in caplog.text
        assert any_shop.paid_times() == 0
        assert any_shop.payment().status == "pending"
        assert any_shop.callbacks() == []

        any_shop.handle = None
        assert any_shop.deliver(report()) == 200
        assert any_shop.paid_times() == 1

    def test_a_handler_may_use_savepoints(self, any_shop: Shop) -> None:
        any_shop.add_pending()

        def handle(_: str, __: object) -> None:
            session = any_shop.db.session

            with session.begin_nested():
                session.add(any_shop.orders(id="kept", price="1", currency="AMD"))

            with contextlib.suppress(IntegrityError), session.begin_nested():
                session.add(any_shop.orders(id="A1", price="1", currency="AMD"))

            nested = session.begin_nested()
            session.add(any_shop.orders(id="undone", price="1", currency="AMD"))
            session.flush()
            nested.rollback()

        any_shop.handle = handle
        assert any_shop.deliver(report()) == 200

        assert any_shop.paid_times() == 1
        assert any_shop.payment().status == "paid"

        with any_shop.app.app_context():
            assert any_shop.db.session.get(any_shop.orders, "kept") is not None
            assert any_shop.db.session.get(any_shop.orders, "undone") is None

    def test_a_swallowed_integrity_error_of_a_flush_is_a_failed_handler(
        self, any_shop: Shop
    ) -> None:
        any_shop.add_pending()

        def handle(_: str, __: object) -> None:
            session = any_shop.db.session
            session.expunge_all()
            session.add(any_shop.orders(id="A1", price="1", currency="AMD"))

            with contextlib.suppress(IntegrityError):
                session.flush()

        any_shop.handle = handle
        assert any_shop.deliver(report()) == 500
        assert any_shop.callbacks() == []

        any_shop.handle = None
        assert any_shop.deliver(report()) == 200
        assert any_shop.paid_times() == 1

    @pytest.mark.always
    def test_a_swallowed_error_of_a_statement_loses_nothing(self, any_shop: Shop) -> None:
        any_shop.add_pending()
        twice = insert(any_shop.orders).values(id="A1", price="1", currency="AMD")

        def handle(_: str, __: object) -> None:
            any_shop.db.session.flush()

            with contextlib.suppress(IntegrityError):
                any_shop.db.session.execute(twice)

        any_shop.handle = handle
        answer = any_shop.deliver(report())

        # PostgreSQL gives up the transaction then; the others go on with it.
        paid = any_shop.paid_times()
        assert (answer, paid) in {(200, 1), (500, 0)}
        assert any_shop.payment().status == ("paid" if paid else "pending")

        any_shop.handle = None
        assert any_shop.deliver(report()) == 200
        assert any_shop.paid_times() == 1

    def test_an_object_that_cannot_be_flushed_is_a_failed_handler(self, any_shop: Shop) -> None:
        any_shop.add_pending()
        any_shop.handle = lambda *_: any_shop.db.session.add(any_shop.orders(id="A2"))

        assert any_shop.deliver(report()) == 500

        any_shop.handle = None
        assert any_shop.deliver(report()) == 200
        assert any_shop.paid_times() == 1

    def test_a_handler_sees_the_payment_as_it_will_be(self, any_shop: Shop) -> None:
        any_shop.add_pending()
        seen = []

        def handle(status: str, payment: Any) -> None:
            seen.append((payment.status, payment.price, payment.session_url, payment.reference))

        any_shop.handle = handle
        any_shop.deliver(report())
        paid = any_shop.payment()

        assert seen == [("paid", paid.price, paid.session_url, paid.reference)]
