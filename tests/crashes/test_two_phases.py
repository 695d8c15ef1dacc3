"""What the ordinary servers here do not do: two-phase commit, and a time-out that rolls back."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, make_url, text

from tests.crashes.private import PrivateServer
from tests.kept import dispose
from tests.reports import report
from tests.shop import Shop, make_shop

pytestmark = pytest.mark.thorough

#: What was prepared, and neither committed nor rolled back.
PREPARED = {"postgresql": "SELECT * FROM pg_prepared_xacts", "mysql": "XA RECOVER"}


@pytest.fixture
def other(private: PrivateServer) -> Iterator[Engine]:
    """Another database than that of the payments, with a table of the shop."""
    maker = create_engine(private.url, isolation_level="AUTOCOMMIT")

    with maker.connect() as connection:
        connection.execute(text("CREATE DATABASE other"))

    maker.dispose()
    engine = create_engine(make_url(private.url).set(database="other"))

    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE shipped (id INTEGER)"))

    yield engine
    engine.dispose()


@pytest.fixture
def shop(private: PrivateServer) -> Iterator[Shop]:
    """A shop whose session commits in two phases."""
    shop = make_shop(private.url)
    shop.add_pending()

    with shop.app.app_context():
        shop.db.session.remove()
        shop.db.session.configure(twophase=True)

    yield shop
    dispose(shop)


def _shipped(other: Engine) -> int:
    with other.connect() as connection:
        return len(connection.execute(text("SELECT * FROM shipped")).all())


class TestTwoPhases:
    """Two databases in one session commit both, or neither does."""

    def test_both_databases_commit(self, shop: Shop, other: Engine) -> None:
        shop.handle = lambda *_: _ship(shop, other)

        assert shop.deliver(report()) == 200
        assert shop.deliver(report()) == 200
        assert (_shipped(other), shop.paid_times(), shop.payment().status) == (1, 1, "paid")

    def test_a_second_database_that_cannot_commit_keeps_the_first_from_it(
        self, shop: Shop, other: Engine
    ) -> None:
        def ship_and_lose(*_: object) -> None:
            connection: Any = _ship(shop, other)
            connection.connection.dbapi_connection.close()

        shop.handle = ship_and_lose
        assert shop.deliver(report()) == 500
        assert (_shipped(other), shop.paid_times(), shop.callbacks()) == (0, 0, [])
        assert shop.payment().status == "pending"

        with other.connect() as connection:
            assert connection.execute(text(PREPARED[other.dialect.name])).all() == []

        shop.handle = lambda *_: _ship(shop, other)
        assert shop.deliver(report()) == 200
        assert (_shipped(other), shop.paid_times()) == (1, 1)


def _ship(shop: Shop, other: Engine) -> Any:
    connection = shop.db.session.connection(bind_arguments={"bind": other})
    connection.execute(text("INSERT INTO shipped VALUES (1)"))
    return connection


@pytest.mark.parametrize("private", ["mariadb"], indirect=True)
@pytest.mark.parametrize("nested", [False, True], ids=["plain", "in a savepoint"])
def test_a_lock_that_times_out_and_rolls_back_keeps_nothing(
    private: PrivateServer, *, nested: bool
) -> None:
    impatient = {"connect_args": {"init_command": "SET innodb_lock_wait_timeout = 1"}}
    shop = make_shop(private.url, SQLALCHEMY_ENGINE_OPTIONS=impatient)
    shop.add_pending()
    shop.add_order("A2")
    change = text("UPDATE shop_order SET price = '7' WHERE id = :id")

    def swallow(*_: object) -> None:
        session = shop.db.session
        around: Any = session.begin_nested() if nested else contextlib.nullcontext()

        with contextlib.suppress(Exception), around:
            session.execute(change, {"id": "A2"})

        with contextlib.suppress(Exception):
            session.execute(change, {"id": "A1"})

    shop.handle = swallow
    holder = create_engine(private.url)

    with holder.begin() as connection:
        connection.execute(change, {"id": "A2"})
        assert shop.deliver(report()) == 500
        assert (shop.payment().status, shop.callbacks()) == ("pending", [])

    shop.handle = None
    assert shop.deliver(report()) == 200
    assert shop.paid_times() == 1

    with shop.app.app_context():
        assert shop.db.session.get_one(shop.orders, "A1").price == "1000"

    holder.dispose()
    dispose(shop)
