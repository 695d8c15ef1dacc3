"""Promise 2: what a handler writes through another session than ours is not lost in silence."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from tests.promises.helpers import counts_once_mended, is_undone
from tests.reports import report
from tests.shop import Shop


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


def test_a_replaced_session_is_the_one_that_everything_goes_through(
    pending_shop: Shop, replaced: scoped_session[Any]
) -> None:
    assert pending_shop.deliver(report()) == 200

    assert pending_shop.paid_times() == 1
    assert pending_shop.payment().status == "paid"


def test_a_handler_that_leaves_what_it_wrote_in_another_session_is_stopped(
    server_shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    server_shop.add_pending()

    with server_shop.app.app_context():
        other = Session(server_shop.db.engine)

    def write(*_: object) -> None:
        # Our own flush of the same row would wait for this thread, and so for ever.
        other.get_one(server_shop.orders, "A1").price = "2"
        other.flush()

    is_undone(server_shop, write)
    other.close()

    assert "the handler wrote through another session" in caplog.text
    counts_once_mended(server_shop)


@pytest.mark.parametrize("how", ["committed", "rolled back", "failed", "read"])
def test_what_a_handler_ends_elsewhere_by_itself_is_its_own_affair(
    server_shop: Shop, how: str
) -> None:
    server_shop.add_pending()
    server_shop.add_order("A2")

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
    pending_shop: Shop, replaced: scoped_session[Any]
) -> None:
    with pending_shop.app.app_context():
        replaced.get_one(pending_shop.orders, "A1").price = "2"
        assert pending_shop.deliver(report()) == 200
        # Nobody else does: Flask-SQLAlchemy ends the session that took its place.
        replaced.remove()
