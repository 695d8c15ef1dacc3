"""A shop's own ways with its engine, while a report is recorded."""

from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, event, text
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
