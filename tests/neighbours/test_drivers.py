"""A shop on whichever driver it has: what a database says reaches us in as many ways."""

import contextlib
from collections.abc import Iterator

import pytest
from sqlalchemy import insert, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError

from tests.kept import dispose
from tests.promises.helpers import deadlock_in
from tests.reports import report
from tests.shop import Shop, make_shop

#: Beside psycopg and PyMySQL, by which all other tests go.
DRIVERS = [
    ("postgresql", "postgresql+psycopg2"),
    ("postgresql", "postgresql+pg8000"),
    ("mariadb", "mysql+mysqlconnector"),
    ("mariadb", "mariadb+pymysql"),
]

pytestmark = pytest.mark.parametrize(
    ("database_url", "driver"),
    DRIVERS,
    indirect=["database_url"],
    ids=[name for _, name in DRIVERS],
)


@pytest.fixture
def driven_shop(database_url: str, driver: str) -> Iterator[Shop]:
    """A shop on *driver*, with a pending payment."""
    url = make_url(database_url).set(drivername=driver)
    shop = make_shop(url.render_as_string(hide_password=False))
    shop.add_pending()
    yield shop
    dispose(shop)


def test_a_report_has_its_effect_once(driven_shop: Shop) -> None:
    assert [driven_shop.deliver(report()) for _ in range(2)] == [200, 200]
    assert driven_shop.paid_times() == 1
    assert [row.body for row in driven_shop.callbacks()] == [report()]


@pytest.mark.parametrize("swallowed", [False, True], ids=["raised", "swallowed"])
def test_a_deadlock_is_tried_again(driven_shop: Shop, swallowed: bool) -> None:
    def lose_once(*_: object) -> None:
        if len(driven_shop.handled) == 1:
            with contextlib.suppress(DBAPIError) if swallowed else contextlib.nullcontext():
                driven_shop.db.session.execute(deadlock_in(driven_shop))

    driven_shop.handle = lose_once
    assert driven_shop.deliver(report()) == 200
    assert driven_shop.paid_times() == 1


def test_a_swallowed_error_loses_nothing(driven_shop: Shop) -> None:
    twice = insert(driven_shop.orders).values(id="A1", price="1", currency="AMD")

    def handle(*_: object) -> None:
        driven_shop.db.session.flush()

        with contextlib.suppress(IntegrityError):
            driven_shop.db.session.execute(twice)

    driven_shop.handle = handle
    answer = driven_shop.deliver(report())

    # PostgreSQL gives up the transaction then; MariaDB goes on with it.
    assert (answer, driven_shop.paid_times()) in {(200, 1), (500, 0)}
    driven_shop.handle = None
    assert driven_shop.deliver(report()) == 200
    assert driven_shop.paid_times() == 1
