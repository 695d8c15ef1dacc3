"""A database that drops connections, is full or makes us wait: a clean retry, or a clean 500."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError

from spayon_flask.storage.transactions import MAX_TRIES
from tests.kept import KeptShops
from tests.promises.helpers import Fleet, dialect
from tests.reports import report
from tests.shop import Shop

pytestmark = pytest.mark.thorough

#: How a connection learns its own number, and how another one ends it.
KILL = {
    "postgresql": ("SELECT pg_backend_pid()", "SELECT pg_terminate_backend({})"),
    "mysql": ("SELECT CONNECTION_ID()", "KILL {}"),
}

#: An engine that waits for a lock hardly at all.
IMPATIENT: dict[str, dict[str, Any]] = {
    "sqlite": {"timeout": 0.02},
    "postgresql": {"options": "-c lock_timeout=20"},
    "mysql": {"init_command": "SET innodb_lock_wait_timeout = 0"},
}

#: What makes every write to a table fail as it does on a full disk, and what ends that.
FULL = {
    "postgresql": (
        """
        CREATE FUNCTION full_disk() RETURNS trigger AS $$
            BEGIN RAISE EXCEPTION 'disk full' USING ERRCODE = '53100'; END
        $$ LANGUAGE plpgsql;
        CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON {0}
            FOR EACH ROW EXECUTE FUNCTION full_disk()
        """,
        "DROP FUNCTION full_disk CASCADE",
    ),
    "mysql": (
        """
        CREATE TRIGGER full_disk BEFORE {1} ON {0} FOR EACH ROW
            SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1114, MESSAGE_TEXT = 'The table is full'
        """,
        "DROP TRIGGER full_disk",
    ),
}


class TestLostConnections:
    """The server ends a connection in the middle of a transaction."""

    @pytest.mark.parametrize("after", ["at once", "at the commit", "unnoticed"])
    def test_a_connection_lost_in_the_handler_is_replaced_within_the_request(
        self, server_shop: Shop, after: str
    ) -> None:
        server_shop.add_pending()

        def lose(*_: object) -> None:
            if len(server_shop.handled) > 1:
                return

            session = server_shop.db.session
            session.flush()
            _kill(server_shop)

            if after == "at once":
                session.execute(text("SELECT 1"))

            if after == "unnoticed":
                with contextlib.suppress(DBAPIError):
                    session.execute(text("SELECT 1"))

        server_shop.handle = lose

        assert server_shop.deliver(report()) == 200

        assert len(server_shop.handled) == 2
        assert server_shop.paid_times() == 1
        assert len(server_shop.callbacks()) == 1

    def test_connections_lost_between_two_requests_cost_nothing(self, server_shop: Shop) -> None:
        server_shop.add_pending()

        with server_shop.app.app_context():
            # The pool hands out this very connection again: there is no other.
            server_shop.db.engine.dispose()
            number = _own_number(server_shop)

        _end(server_shop, number)

        assert server_shop.deliver(report()) == 200
        assert server_shop.paid_times() == 1

    def test_a_database_that_keeps_failing_is_a_500_and_heals(self, server_shop: Shop) -> None:
        server_shop.add_pending()

        def lose(*_: object) -> None:
            _kill(server_shop)
            server_shop.db.session.flush()

        server_shop.handle = lose
        assert server_shop.deliver(report()) == 500
        assert len(server_shop.handled) == MAX_TRIES

        server_shop.handle = None
        assert server_shop.deliver(report()) == 200
        assert server_shop.paid_times() == 1


class TestFullDisks:
    """What cannot be written is not acknowledged, and nothing of it stays behind."""

    @pytest.mark.parametrize("table", ["spayon_callback", "spayon_payment", "shop_order"])
    def test_a_full_table_is_a_500_and_the_redelivery_counts(
        self, server_shop: Shop, table: str
    ) -> None:
        server_shop.add_pending()

        with _full(server_shop, table):
            assert server_shop.deliver(report()) == 500

        assert server_shop.payment().status == "pending"
        assert server_shop.callbacks() == []
        assert server_shop.deliver(report()) == 200
        assert server_shop.paid_times() == 1

    @pytest.mark.parametrize("swallow", [False, True], ids=["let out", "swallowed"])
    def test_a_full_disk_under_sqlite_is_a_500_and_the_redelivery_counts(
        self, kept: KeptShops, fleet: Fleet, *, swallow: bool
    ) -> None:
        shop = fleet.join(kept.shop("sqlite"))
        shop.add_pending()

        def fill(*_: object) -> None:
            session = shop.db.session
            session.flush()

            with contextlib.suppress(DBAPIError) if swallow else contextlib.nullcontext():
                session.execute(
                    shop.db.insert(shop.orders).values(id="x" * 500_000, price="1", currency="AMD")
                )

        shop.handle = fill

        with shop.app.app_context():
            engine = shop.db.engine

        engine.dispose()

        with _no_page_more(engine):
            answer = shop.deliver(report())

        # Whether SQLite gives up the statement or the transaction, the two are of one mind.
        assert (answer, shop.payment().status, shop.paid_times()) in {
            (500, "pending", 0),
            (200, "paid", 1),
        }
        assert answer == 500 or swallow

        shop.handle = None
        engine.dispose()
        assert shop.deliver(report()) == 200
        assert shop.paid_times() == 1


class TestLockTimeouts:
    """Somebody sits on a row for too long."""

    def test_a_lock_that_never_comes_free_is_a_500_and_the_redelivery_counts(
        self, any_shop: Shop, fleet: Fleet
    ) -> None:
        shop = fleet.join(any_shop)
        kind = dialect(shop)
        impatient = fleet.join(
            any_shop, SQLALCHEMY_ENGINE_OPTIONS={"connect_args": IMPATIENT[kind]}
        )
        shop.add_pending()
        take = text("UPDATE shop_order SET price = '1' WHERE id = 'A1'")

        with shop.app.app_context():
            shop.db.session.execute(take)
            assert impatient.deliver(report()) == 500
            shop.db.session.rollback()

        assert len(impatient.handled) in {0, MAX_TRIES}
        assert shop.payment().status == "pending"
        assert shop.callbacks() == []
        assert impatient.deliver(report()) == 200
        assert shop.paid_times() == 1


def _engine(shop: Shop) -> Engine:
    return create_engine(shop.app.config["SQLALCHEMY_DATABASE_URI"], isolation_level="AUTOCOMMIT")


def _own_number(shop: Shop) -> int:
    """Return the server's number of the connection that the shop's session uses now."""
    own, _ = KILL[shop.db.engine.dialect.name]
    return int(shop.db.session.execute(text(own)).scalar_one())


def _end(shop: Shop, number: int) -> None:
    """Let the server end a connection."""
    engine = _engine(shop)
    _, kill = KILL[engine.dialect.name]

    with engine.connect() as connection:
        connection.execute(text(kill.format(number)))

    engine.dispose()


def _kill(shop: Shop) -> None:
    """Let the server end the connection that the shop's session uses now."""
    _end(shop, _own_number(shop))


@contextlib.contextmanager
def _full(shop: Shop, table: str) -> Iterator[None]:
    """Refuse every write to *table* as a full disk does."""
    engine = _engine(shop)
    fill, empty = FULL[engine.dialect.name]
    write = "INSERT" if table == "spayon_callback" else "UPDATE"

    with engine.connect() as connection:
        connection.execute(text(fill.format(table, write)))

        try:
            yield

        finally:
            connection.execute(text(empty))

    engine.dispose()


@contextlib.contextmanager
def _no_page_more(engine: Engine) -> Iterator[None]:
    """Let the file of a SQLite database grow no further."""

    def limit(connection: Any, _: object) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")

    event.listen(engine, "connect", limit)

    try:
        yield

    finally:
        event.remove(engine, "connect", limit)
