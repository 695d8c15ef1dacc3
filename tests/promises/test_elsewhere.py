"""Promise 2: what a handler writes through another session than ours is not lost in silence."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import scoped_session
from sqlalchemy.orm import sessionmaker

from tests.reports import report
from tests.shop import Shop


Writing = Callable[[Shop], object]


@pytest.fixture
def replaced(any_shop: Shop) -> Iterator[scoped_session[Any]]:
    """Replace `db.session` as test suites do; the old one, which a handler may still hold."""
    old = any_shop.db.session

    with any_shop.app.app_context():
        engine = any_shop.db.engine

    # For mypy: a plain session, as a test suite makes it.
    any_shop.db.session = scoped_session(sessionmaker(bind=engine))  # type: ignore[arg-type]
    yield old
    any_shop.db.session.remove()
    any_shop.db.session = old


def _own_context_without_commit(shop: Shop) -> None:
    with shop.app.app_context():
        shop.db.session.get_one(shop.orders, "A1").price = "2"


def _own_context_with_new_object(shop: Shop) -> None:
    with shop.app.app_context():
        shop.db.session.add(shop.orders(id="A2", price="1", currency="AMD"))


def _own_session_flushed(shop: Shop) -> None:
    with shop.app.app_context():
        shop.db.session.execute(text("UPDATE shop_order SET currency = 'USD'"))


LOSING = [_own_context_without_commit, _own_context_with_new_object]


class TestElsewhere:
    """The handler's work is in our transaction, or the handler is told so."""

    def test_a_replaced_session_is_the_one_that_everything_goes_through(
        self, any_shop: Shop, replaced: scoped_session[Any]
    ) -> None:
        any_shop.add_order()
        any_shop.add_payment()

        assert any_shop.deliver(report()) == 200

        assert any_shop.paid_times() == 1
        assert any_shop.payment().status == "paid"

    @pytest.mark.parametrize("used", [False, True], ids=["unused", "used before"])
    @pytest.mark.parametrize("flush", [False, True], ids=["unflushed", "flushed"])
    def test_a_handler_that_writes_through_the_session_that_was_replaced_is_stopped(
        self,
        any_shop: Shop,
        replaced: scoped_session[Any],
        caplog: pytest.LogCaptureFixture,
        *,
        used: bool,
        flush: bool,
    ) -> None:
        any_shop.add_order()
        any_shop.add_payment()

        def write(*_: object) -> None:
            replaced.get_one(any_shop.orders, "A1").price = "2"

            if flush:
                replaced.flush()

        any_shop.handle = write

        with any_shop.app.app_context():
            if used:
                replaced.get_one(any_shop.orders, "A1")

            with caplog.at_level(logging.ERROR):
                assert any_shop.deliver(report()) == 500

            replaced.remove()

        assert "the handler wrote through" in caplog.text
        assert any_shop.payment().status == "pending"
        any_shop.handle = None
        assert any_shop.deliver(report()) == 200

    @pytest.mark.parametrize("write", LOSING, ids=lambda each: each.__name__.strip("_"))
    def test_a_handler_that_forgets_to_commit_elsewhere_is_stopped(
        self, any_shop: Shop, write: Writing, caplog: pytest.LogCaptureFixture
    ) -> None:
        any_shop.add_order()
        any_shop.add_payment()
        any_shop.handle = lambda *_: write(any_shop)

        assert any_shop.deliver(report()) == 500
        assert "the handler wrote through another session" in caplog.text
        assert any_shop.payment().status == "pending"

    def test_a_session_that_is_closed_before_its_commit_is_noticed(
        self, server_shop: Shop, caplog: pytest.LogCaptureFixture
    ) -> None:
        server_shop.add_order()
        server_shop.add_order("A2")
        server_shop.add_payment()

        def write(*_: object) -> None:
            with server_shop.app.app_context():
                server_shop.db.session.get_one(server_shop.orders, "A2").price = "2"
                server_shop.db.session.flush()

        server_shop.handle = write
        assert server_shop.deliver(report()) == 500
        assert "the handler wrote through another session" in caplog.text

    @pytest.mark.parametrize("how", ["committed", "rolled back", "failed", "read"])
    def test_what_a_handler_ends_elsewhere_by_itself_is_its_own_affair(
        self, server_shop: Shop, how: str
    ) -> None:
        server_shop.add_order()
        server_shop.add_order("A2")
        server_shop.add_payment()

        def write(*_: object) -> None:
            with server_shop.app.app_context():
                session = server_shop.db.session
                other = session.get_one(server_shop.orders, "A2")

                if how == "failed":
                    with contextlib.suppress(Exception):
                        session.execute(text("UPDATE nowhere SET price = '2'"))

                elif how != "read":
                    other.price = "2"
                    session.flush()
                    session.commit() if how == "committed" else session.rollback()

        server_shop.handle = write
        assert server_shop.deliver(report()) == 200
        assert server_shop.paid_times() == 1

    def test_what_was_there_before_the_handler_is_not_held_against_it(
        self, any_shop: Shop, replaced: scoped_session[Any]
    ) -> None:
        any_shop.add_order()
        any_shop.add_payment()

        with any_shop.app.app_context():
            replaced.get_one(any_shop.orders, "A1").price = "2"
            assert any_shop.deliver(report()) == 200
            # Nobody else does: Flask-SQLAlchemy ends the session that took its place.
            replaced.remove()

    @pytest.mark.parametrize("any_shop", ["sqlite"], indirect=True)
    def test_a_handler_that_writes_through_a_second_connection_to_sqlite_is_stopped_at_once(
        self, any_shop: Shop, caplog: pytest.LogCaptureFixture
    ) -> None:
        any_shop.add_order()
        any_shop.add_payment()

        def write(*_: object) -> None:
            with any_shop.app.app_context():
                any_shop.db.session.get_one(any_shop.orders, "A1").price = "2"
                any_shop.db.session.commit()

        any_shop.handle = write
        assert any_shop.deliver(report()) == 500
        assert "second connection to SQLite" in caplog.text
        assert len(any_shop.handled) == 1
