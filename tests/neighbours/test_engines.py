"""A shop's own ways with its engine, while a report is recorded."""

from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.schema import CreateSchema

from tests.kept import dispose
from tests.reports import report
from tests.shop import Shop, make_shop


def test_who_may_change_statements_is_given_all_of_ours(any_shop: Shop) -> None:
    any_shop.add_pending()
    given: list[str] = []

    def change(_: Connection, statement: Any, *values: Any) -> tuple[Any, ...]:
        given.append(str(statement))
        return statement, *values[:2]

    with any_shop.app.app_context():
        event.listen(any_shop.db.engine, "before_execute", change, retval=True)

    assert any_shop.deliver(report()) == 200
    assert any("INSERT INTO spayon_callback" in each for each in given)


def test_who_observes_all_engines_sees_our_statements(any_shop: Shop) -> None:
    any_shop.add_pending()
    seen: list[str] = []

    def see(_: Connection, __: object, statement: str, *___: object) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", see)

    try:
        assert any_shop.deliver(report()) == 200

    finally:
        event.remove(Engine, "before_cursor_execute", see)

    assert any("INSERT INTO spayon_callback" in each for each in seen)


class CountingEngine(Engine):
    """An engine that a shop has changed."""

    made = 0

    def connect(self) -> Connection:
        CountingEngine.made += 1
        return super().connect()


def test_an_engine_of_the_shops_own_class_makes_the_connections(any_shop: Shop) -> None:
    any_shop.add_pending()

    with any_shop.app.app_context():
        any_shop.db.engine.__class__ = CountingEngine
        before = CountingEngine.made

    assert any_shop.deliver(report()) == 200
    assert CountingEngine.made == before + 1


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_our_tables_may_be_in_the_schema_of_a_tenant(database_url: str) -> None:
    engine = create_engine(database_url)

    with engine.begin() as connection:
        connection.execute(CreateSchema("tenant"))

    options = {"execution_options": {"schema_translate_map": {None: "tenant"}}}
    shop = make_shop(database_url, SQLALCHEMY_ENGINE_OPTIONS=options)
    shop.add_pending()
    assert shop.deliver(report()) == 200
    assert shop.deliver(report()) == 200
    assert shop.paid_times() == 1

    with engine.connect() as connection:
        assert connection.scalar(text("SELECT status FROM tenant.spayon_payment")) == "paid"

    engine.dispose()
    dispose(shop)
