"""A shop moves to the tables of the present release, with payments in it.

Nothing has been released yet, so what an earlier release lacks is played: a column is dropped. From
the first release on, each one that changes the tables leaves its migration here, and the same is
tested from there.
"""

from pathlib import Path

import pytest
from sqlalchemy import text

from tests.kept import dispose
from tests.migrations.shop import Migrations
from tests.reports import report
from tests.shop import make_shop


# Said by the env.py that Flask-Migrate writes.
@pytest.mark.filterwarnings("ignore:'get_engine' is deprecated:DeprecationWarning")
def test_a_missing_column_is_added_and_a_payment_under_way_is_paid(
    database_url: str, tmp_path: Path
) -> None:
    shop = make_shop(database_url, fresh=False)
    migrations = Migrations(shop.app, shop.db, tmp_path / "migrations")
    migrations.migrate()
    migrations.upgrade()
    shop.add_pending()
    created_at = shop.payment().created_at

    with shop.app.app_context():
        shop.db.session.execute(text("ALTER TABLE spayon_payment DROP COLUMN reviewed_by"))
        shop.db.session.commit()

    migrations.migrate()
    migrations.upgrade()

    assert migrations.migrate() == []
    assert shop.deliver(report()) == 200
    payment = shop.payment()
    assert (payment.status, payment.price) == ("paid", 1000)
    assert (payment.created_at, payment.reviewed_by) == (created_at, None)
    dispose(shop)
