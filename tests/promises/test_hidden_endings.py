"""Promise 2: a handler that ends the transaction behind SQLAlchemy's back is stopped as well."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import make_url, text

from tests.databases import ENGINES
from tests.kept import KeptShops, dispose
from tests.promises.helpers import dialect, execute, price_of
from tests.reports import report
from tests.shop import Shop, make_shop

#: What says that the transaction is over, on each database.
TEXTS = {
    "sqlite": ["COMMIT", "ROLLBACK", "END", "-- a word\ncommit", "/* a word */ Rollback"],
    "postgresql": [
        *("COMMIT", "ROLLBACK", "END", "ABORT", "COMMIT AND CHAIN", "ROLLBACK AND CHAIN"),
        *("-- a word\ncommit", "/* a word */ Rollback"),
    ],
    "mariadb": [
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

#: Drivers beside SQLite's own, psycopg and PyMySQL, by which the other tests go.
DRIVERS = {
    "postgresql+psycopg2": "postgresql",
    "postgresql+pg8000": "postgresql",
    "mysql+mysqlconnector": "mariadb",
}

hidden_or_not = pytest.mark.parametrize("hidden", [False, True], ids=["let out", "hidden"])


@pytest.fixture(params=[*ENGINES, *DRIVERS])
def driven_shop(request: pytest.FixtureRequest, kept: KeptShops) -> Iterator[Shop]:
    """A shop with a pending payment, on each driver of each database."""
    shop = kept.shop(DRIVERS.get(request.param, request.param))
    shop.add_pending()

    if request.param in ENGINES:
        yield shop
        return

    url = make_url(shop.app.config["SQLALCHEMY_DATABASE_URI"]).set(drivername=request.param)
    driven = make_shop(url.render_as_string(hide_password=False), fresh=False)
    yield driven
    dispose(driven)


# A statement's text is looked at, or what it did.


@pytest.mark.parametrize(
    ("any_shop", "statement"),
    [(engine, statement) for engine, texts in TEXTS.items() for statement in texts],
    indirect=["any_shop"],
)
@hidden_or_not
def test_a_text_that_ends_the_transaction_stops_the_handler(
    pending_shop: Shop, statement: str, caplog: pytest.LogCaptureFixture, *, hidden: bool
) -> None:
    _is_stopped(pending_shop, _execute(statement, hidden=hidden))

    assert "must neither commit, roll back" in caplog.text or "gave up the" in caplog.text
    caplog.clear()
    _is_paid_once_mended(pending_shop)
    assert "failed" not in caplog.text


@pytest.mark.always
def test_several_statements_at_once_are_noticed(server_shop: Shop) -> None:
    server_shop.add_pending()
    # Without parameters, psycopg sends as many statements as there are.
    several = "UPDATE shop_order SET price = '2'; COMMIT; UPDATE shop_order SET price = '3'"
    _is_stopped(server_shop, lambda shop: shop.db.session.connection().exec_driver_sql(several))
    _is_paid_once_mended(server_shop)


@pytest.mark.parametrize("any_shop", ["mariadb"], indirect=True)
@pytest.mark.parametrize("ending", ["COMMIT", "ROLLBACK"])
@hidden_or_not
def test_a_procedure_that_ends_the_transaction_stops_the_handler(
    pending_shop: Shop, ending: str, caplog: pytest.LogCaptureFixture, *, hidden: bool
) -> None:
    with _procedure(pending_shop, ending):
        _is_stopped(pending_shop, _execute("CALL meddling()", hidden=hidden))

    assert "must neither commit, roll back nor close" in caplog.text
    assert pending_shop.payment().status == "pending" or ending == "COMMIT"
    _is_paid_once_mended(pending_shop)


@pytest.mark.parametrize("any_shop", ["mariadb"], indirect=True)
@pytest.mark.parametrize(("end", "price"), [("commit", "7"), ("rollback", "1000")])
def test_a_procedure_that_ends_nothing_may_be_called_in_a_savepoint(
    pending_shop: Shop, end: str, price: str
) -> None:
    def call(*_: object) -> None:
        nested = pending_shop.db.session.begin_nested()
        pending_shop.db.session.execute(text("CALL meddling()"))
        getattr(nested, end)()

    with _procedure(pending_shop, "UPDATE shop_order SET price = '7'"):
        pending_shop.handle = call
        assert pending_shop.deliver(report()) == 200

    assert (pending_shop.paid_times(), price_of(pending_shop)) == (1, price)


def test_harmless_texts_are_let_through(pending_shop: Shop) -> None:
    texts = ["SELECT 'commit; rollback'", "SAVEPOINT mine", "ROLLBACK TO mine"]
    texts += ["RELEASE SAVEPOINT mine"]

    if dialect(pending_shop) == "mysql":
        texts += ["CREATE TEMPORARY TABLE mine (id INTEGER)", "DROP TEMPORARY TABLE mine"]
        texts += ["SET @mine = 1", "EXECUTE IMMEDIATE 'SELECT 1'"]

    def execute(*_: object) -> None:
        for statement in texts:
            pending_shop.db.session.execute(text(statement))

    pending_shop.handle = execute
    assert pending_shop.deliver(report()) == 200
    assert pending_shop.paid_times() == 1


# What no event of SQLAlchemy tells, the driver knows.


def _cursor_says(session: Any, statement: str) -> None:
    cursor = session.connection().connection.cursor()
    cursor.execute(statement)
    cursor.close()


BEHIND: dict[str, Callable[[Any], object]] = {
    "cursor commits": lambda session: _cursor_says(session, "COMMIT"),
    "cursor rolls back": lambda session: _cursor_says(session, "ROLLBACK"),
    "text commits": lambda session: session.execute(text("COMMIT")),
    "text rolls back": lambda session: session.execute(text("ROLLBACK")),
    "commits": lambda session: session.connection().connection.commit(),
    "rolls back": lambda session: session.connection().connection.rollback(),
    "closed": lambda session: session.connection().close(),
    "invalidated": lambda session: session.connection().invalidate(),
    "session invalidated": lambda session: session().invalidate(),
}


@pytest.mark.parametrize("meddle", BEHIND.values(), ids=BEHIND)
def test_a_driver_that_is_called_directly_stops_the_handler(
    driven_shop: Shop, meddle: Callable[[Any], object]
) -> None:
    _is_stopped(driven_shop, lambda shop: meddle(shop.db.session))
    _is_paid_once_mended(driven_shop)


def _execute(statement: str, *, hidden: bool) -> Callable[[Shop], None]:
    """Return a handler that executes *statement*, and goes on as if nothing had happened."""

    def meddle(shop: Shop) -> None:
        with contextlib.suppress(Exception) if hidden else contextlib.nullcontext():
            shop.db.session.execute(text(statement.replace(":", "\\:")))

        shop.db.session.get_one(shop.orders, "A1").price = "2"

    return meddle


def _is_stopped(shop: Shop, meddle: Callable[[Shop], object]) -> None:
    def handle(*_: object) -> None:
        shop.db.session.flush()
        meddle(shop)

    shop.handle = handle
    assert shop.deliver(report()) == 500


def _is_paid_once_mended(shop: Shop) -> None:
    shop.handle = None
    assert shop.deliver(report()) == 200
    assert shop.payment().status == "paid"


@contextlib.contextmanager
def _procedure(shop: Shop, body: str) -> Iterator[Any]:
    """Have a procedure `meddling` inside the block."""
    execute(shop, f"CREATE PROCEDURE meddling() BEGIN {body}; END")

    try:
        yield

    finally:
        execute(shop, "DROP PROCEDURE meddling")
