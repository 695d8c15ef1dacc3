"""Promise 2: a handler that ends the transaction behind SQLAlchemy's back is stopped as well."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import make_url, text

from tests.kept import KeptShops, dispose
from tests.promises.helpers import dialect
from tests.reports import report
from tests.shop import Shop, make_shop

#: What says that the transaction is over, on each database.
TEXTS = {
    "sqlite": ["COMMIT", "ROLLBACK", "END", "-- a word\ncommit", "/* a word */ Rollback"],
    "postgresql": [
        *("COMMIT", "ROLLBACK", "END", "ABORT", "COMMIT AND CHAIN", "ROLLBACK AND CHAIN"),
        *("-- a word\ncommit", "/* a word */ Rollback"),
    ],
    "mysql": [
        *("COMMIT", "ROLLBACK", "COMMIT AND CHAIN", "BEGIN", "START TRANSACTION"),
        *("/* a word */ Rollback", "/*! COMMIT */", "/*M!100100 ROLLBACK */"),
        *("SET autocommit = 1", "SET @@session.autocommit = 1"),
        *("EXECUTE IMMEDIATE 'COMMIT'", "IF TRUE THEN COMMIT; END IF"),
        *("SET STATEMENT max_statement_time = 5 FOR COMMIT", "BEGIN NOT ATOMIC ROLLBACK; END"),
        *("CREATE TABLE made (id INTEGER)", "DROP TABLE IF EXISTS made"),
        "TRUNCATE TABLE spayon_callback",
        *("ALTER TABLE shop_order COMMENT 'x'", "LOCK TABLES shop_order WRITE", "FLUSH TABLES"),
    ],
}

#: Drivers beside psycopg and PyMySQL, by which the other tests go.
DRIVERS = ["postgresql+psycopg2", "postgresql+pg8000", "mysql+mysqlconnector"]


@pytest.fixture(params=DRIVERS)
def driven_shop(request: pytest.FixtureRequest, kept: KeptShops) -> Iterator[Shop]:
    """A shop on another driver."""
    engine = "postgresql" if request.param.startswith("postgresql") else "mariadb"
    url = make_url(kept.shop(engine).app.config["SQLALCHEMY_DATABASE_URI"])
    driven = url.set(drivername=request.param).render_as_string(hide_password=False)
    shop = make_shop(driven, fresh=False)
    yield shop
    dispose(shop)


class TestTexts:
    """A statement's text is looked at, or what it did."""

    @pytest.mark.parametrize(
        ("any_shop", "statement"),
        [
            (engine, statement)
            for engine, name in (("sqlite", "sqlite"), ("postgresql",) * 2, ("mariadb", "mysql"))
            for statement in TEXTS[name]
        ],
        indirect=["any_shop"],
    )
    @pytest.mark.parametrize("hidden", [False, True], ids=["let out", "hidden"])
    def test_a_text_that_ends_the_transaction_stops_the_handler(
        self, any_shop: Shop, statement: str, caplog: pytest.LogCaptureFixture, *, hidden: bool
    ) -> None:
        any_shop.add_pending()

        def meddle(*_: object) -> None:
            any_shop.db.session.flush()

            with contextlib.suppress(Exception) if hidden else contextlib.nullcontext():
                any_shop.db.session.execute(text(statement.replace(":", "\\:")))

            # As if nothing had happened.
            any_shop.db.session.get_one(any_shop.orders, "A1").price = "2"

        any_shop.handle = meddle
        assert any_shop.deliver(report()) == 500
        assert "must neither commit, roll back" in caplog.text or "gave up the" in caplog.text
        caplog.clear()

        any_shop.handle = None
        assert any_shop.deliver(report()) == 200
        assert any_shop.payment().status == "paid"
        assert "failed" not in caplog.text

    @pytest.mark.always
    def test_several_statements_at_once_are_noticed(self, server_shop: Shop) -> None:
        server_shop.add_pending()

        def meddle(*_: object) -> None:
            # Without parameters, psycopg sends as many statements as there are.
            server_shop.db.session.connection().exec_driver_sql(
                "UPDATE shop_order SET price = '2'; COMMIT; UPDATE shop_order SET price = '3'"
            )

        server_shop.handle = meddle
        assert server_shop.deliver(report()) == 500

        server_shop.handle = None
        assert server_shop.deliver(report()) == 200

    @pytest.mark.parametrize("any_shop", ["mariadb"], indirect=True)
    @pytest.mark.parametrize("ending", ["COMMIT", "ROLLBACK"])
    @pytest.mark.parametrize("hidden", [False, True], ids=["let out", "hidden"])
    def test_a_procedure_that_ends_the_transaction_stops_the_handler(
        self, any_shop: Shop, ending: str, caplog: pytest.LogCaptureFixture, *, hidden: bool
    ) -> None:
        any_shop.add_pending()

        with _procedure(any_shop, ending):

            def call(*_: object) -> None:
                with contextlib.suppress(Exception) if hidden else contextlib.nullcontext():
                    any_shop.db.session.execute(text("CALL meddling()"))

                any_shop.db.session.get_one(any_shop.orders, "A1").price = "2"

            any_shop.handle = call
            assert any_shop.deliver(report()) == 500

        assert "must neither commit, roll back nor close" in caplog.text

        if ending == "ROLLBACK":
            assert any_shop.payment().status == "pending"

        any_shop.handle = None
        assert any_shop.deliver(report()) == 200
        assert any_shop.payment().status == "paid"

    @pytest.mark.parametrize("any_shop", ["mariadb"], indirect=True)
    @pytest.mark.parametrize("end", ["commit", "rollback"])
    def test_a_procedure_that_ends_nothing_may_be_called_in_a_savepoint(
        self, any_shop: Shop, end: str
    ) -> None:
        any_shop.add_pending()

        with _procedure(any_shop, "UPDATE shop_order SET price = '7'"):

            def call(*_: object) -> None:
                nested = any_shop.db.session.begin_nested()
                any_shop.db.session.execute(text("CALL meddling()"))
                getattr(nested, end)()

            any_shop.handle = call
            assert any_shop.deliver(report()) == 200

        assert any_shop.paid_times() == 1

        with any_shop.app.app_context():
            price = any_shop.db.session.get_one(any_shop.orders, "A1").price

        assert price == ("7" if end == "commit" else "1000")

    def test_harmless_texts_are_let_through(self, any_shop: Shop) -> None:
        any_shop.add_pending()
        texts = ["SELECT 'commit; rollback'", "SAVEPOINT mine", "ROLLBACK TO mine"]
        texts += ["RELEASE SAVEPOINT mine"]

        if dialect(any_shop) == "mysql":
            texts += ["CREATE TEMPORARY TABLE mine (id INTEGER)", "DROP TEMPORARY TABLE mine"]
            texts += ["SET @mine = 1", "EXECUTE IMMEDIATE 'SELECT 1'"]

        def execute(*_: object) -> None:
            for statement in texts:
                any_shop.db.session.execute(text(statement))

        any_shop.handle = execute
        assert any_shop.deliver(report()) == 200
        assert any_shop.paid_times() == 1


def _cursor_says(statement: str) -> Callable[[Shop], object]:
    def meddle(shop: Shop) -> None:
        cursor = shop.db.session.connection().connection.cursor()
        cursor.execute(statement)
        cursor.close()

    return meddle


def _driver_commits(shop: Shop) -> None:
    shop.db.session.connection().connection.commit()


def _driver_rolls_back(shop: Shop) -> None:
    shop.db.session.connection().connection.rollback()


def _connection_is_closed(shop: Shop) -> None:
    shop.db.session.connection().close()


def _connection_is_invalidated(shop: Shop) -> None:
    shop.db.session.connection().invalidate()


def _session_is_invalidated(shop: Shop) -> None:
    shop.db.session().invalidate()


BEHIND = [
    _cursor_says("COMMIT"),
    _cursor_says("ROLLBACK"),
    _driver_commits,
    _driver_rolls_back,
    _connection_is_closed,
    _connection_is_invalidated,
    _session_is_invalidated,
]
NAMES = ["cursor commits", "cursor rolls back", "commits", "rolls back", "closed", "invalidated"]
NAMES += ["session invalidated"]


class TestDrivers:
    """What no event of SQLAlchemy tells, the driver knows."""

    @pytest.mark.parametrize("meddle", BEHIND, ids=NAMES)
    def test_a_driver_that_is_called_directly_stops_the_handler(
        self, any_shop: Shop, meddle: Callable[[Shop], object]
    ) -> None:
        _is_stopped(any_shop, meddle)

    @pytest.mark.parametrize("meddle", BEHIND, ids=NAMES)
    def test_another_driver_that_is_called_directly_stops_the_handler(
        self, driven_shop: Shop, meddle: Callable[[Shop], object]
    ) -> None:
        _is_stopped(driven_shop, meddle)

    @pytest.mark.parametrize("statement", ["COMMIT", "ROLLBACK"])
    def test_a_text_stops_the_handler_on_another_driver(
        self, driven_shop: Shop, statement: str
    ) -> None:
        _is_stopped(driven_shop, lambda shop: shop.db.session.execute(text(statement)))


def _is_stopped(shop: Shop, meddle: Callable[[Shop], object]) -> None:
    shop.add_pending()

    def handle(*_: object) -> None:
        shop.db.session.flush()
        meddle(shop)

    shop.handle = handle
    assert shop.deliver(report()) == 500
    shop.handle = None
    assert shop.deliver(report()) == 200
    assert shop.payment().status == "paid"


@contextlib.contextmanager
def _procedure(shop: Shop, body: str) -> Iterator[Any]:
    """Have a procedure `meddling` inside the block."""
    with shop.app.app_context(), shop.db.engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE PROCEDURE meddling() BEGIN {body}; END")

    try:
        yield

    finally:
        with shop.app.app_context(), shop.db.engine.begin() as connection:
            connection.exec_driver_sql("DROP PROCEDURE meddling")
