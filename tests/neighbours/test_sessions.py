"""A shop's own ways with `db.session`, while a report is recorded."""

from collections.abc import Iterator
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy.orm
from flask_sqlalchemy.session import Session
from sqlalchemy import Connection, event, text

from tests.kept import dispose
from tests.promises.helpers import statements
from tests.reports import report
from tests.shop import Shop, make_shop


@contextmanager
def shop_with(session_class: type[Session], database_url: str, **config: Any) -> Iterator[Shop]:
    """Run a shop with a session class of its own."""
    shop = make_shop(database_url, session_class=session_class, **config)
    shop.add_pending()

    try:
        yield shop

    finally:
        dispose(shop)


def test_what_a_session_says_at_its_beginning_is_said_ahead_of_our_statements(
    any_shop: Shop,
) -> None:
    any_shop.add_pending()
    # What is remembered of a session is remembered from here on.
    assert any_shop.deliver(report(status="pending")) == 200

    def choose_tenant(_: object, __: object, connection: Connection) -> None:
        connection.execute(text("SELECT 'tenant'"))

    event.listen(any_shop.db.session, "after_begin", choose_tenant)

    with statements(any_shop) as executed:
        assert any_shop.deliver(report()) == 200

    assert executed[0] == "SELECT 'tenant'"
    assert any_shop.paid_times() == 1


class ChoosingSession(Session):
    """A session that chooses its database by a method that takes less than SQLAlchemy's own."""

    # For mypy: that it takes less is what is tested.
    def get_bind(self, mapper: Any = None, clause: Any = None) -> Any:  # type: ignore[override]
        return super().get_bind(mapper, clause)


class TenantsSession(Session):
    """A session on the database of the tenant for whom it was made."""

    tenant: str | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.mine = TenantsSession.tenant

    def get_bind(self, *_: Any, **__: Any) -> Any:
        return self._db.engines[self.mine]


class TenantSession(Session):
    """A session with options for all that is executed through it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, execution_options={"tenant": 7}, **options)


def test_a_session_that_chooses_its_database_gets_all_or_nothing(database_url: str) -> None:
    def fail(_: str, __: object) -> None:
        shop.db.session.flush()
        raise RuntimeError

    with shop_with(ChoosingSession, database_url) as shop:
        shop.handle = fail
        assert shop.deliver(report()) == 500
        assert (shop.paid_times(), shop.payment().status, shop.callbacks()) == (0, "pending", [])

        shop.handle = None
        assert shop.deliver(report()) == 200
        assert (shop.paid_times(), shop.payment().status) == (1, "paid")


def test_each_session_of_a_class_of_the_shops_own_chooses_anew(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    binds = {"second": f"sqlite:///{tmp_path}/second.sqlite3"}

    with shop_with(TenantsSession, database_url, SQLALCHEMY_BINDS=binds) as shop:
        assert shop.deliver(report()) == 200
        monkeypatch.setattr(TenantsSession, "tenant", "second")

        with shop.app.app_context():
            shop.db.metadata.create_all(shop.db.engines["second"])

        shop.add_order("A2")
        shop.add_payment("S2", "A2")
        assert shop.deliver(report("S2", orderId="A2")) == 200
        assert (shop.paid_times("A2"), len(shop.callbacks())) == (1, 1)

        with shop.app.app_context():
            shop.db.engines["second"].dispose()


@pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)
def test_what_is_configured_later_holds_for_the_next_report(database_url: str) -> None:
    with shop_with(Session, database_url) as shop:
        assert shop.deliver(report(status="pending")) == 200

        with shop.app.app_context():
            shop.db.session.configure(twophase=True)

        with statements(shop) as executed:
            assert shop.deliver(report()) == 200

    assert [text for text in executed if text.startswith("XA")] != []


@pytest.mark.skipif(
    "execution_options" not in signature(sqlalchemy.orm.Session.__init__).parameters,
    reason="a session of SQLAlchemy 2.0 takes no such options",
)
def test_the_options_of_a_session_hold_for_our_statements(database_url: str) -> None:
    seen: list[object] = []

    def note(connection: Connection, *_: object) -> None:
        seen.append(connection.get_execution_options().get("tenant"))

    with shop_with(TenantSession, database_url) as shop:
        with shop.app.app_context():
            event.listen(shop.db.engine, "before_cursor_execute", note)

        assert shop.deliver(report()) == 200
        assert seen != []
        assert set(seen) == {7}
