"""A shop moves to the tables of the present release, with payments in it.

Nothing has been released yet, so what an earlier release lacks is played: a column is dropped. From
the first release on, each one that changes the tables leaves its migration here, and the same is
tested from there.
"""

from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from spayon_flask.domain import signing
from tests.migrations.shop import make_migrated_shop
from tests.reports import report
from tests.shop import SECRET

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone.utc)


# Said by the env.py that Flask-Migrate writes.
@pytest.mark.filterwarnings("ignore:'get_engine' is deprecated:DeprecationWarning")
def test_a_missing_column_is_added_and_a_payment_under_way_is_paid(
    database_url: str, tmp_path: Path
) -> None:
    shop = make_migrated_shop(database_url, tmp_path / "migrations")
    shop.migrate()
    shop.upgrade()

    payment_class: Any = shop.spayon.Payment

    with shop.app.app_context():
        session = shop.db.session
        session.add(
            payment_class(
                account="spayon",
                gateway="127.0.0.1:9",
                order_id="A1",
                held_order_id="A1",
                reference="r1",
                session_id="S1",
                status="pending",
                product_name="Tea",
                price=Decimal("1234.5"),
                currency="AMD",
                created_at=NOW,
                updated_at=NOW,
            )
        )
        session.commit()
        session.execute(text("ALTER TABLE spayon_payment DROP COLUMN reviewed_by"))
        session.commit()

    shop.migrate()
    shop.upgrade()

    assert shop.migrate() == []
    body = report("S1", orderId="A1", price="1234.50")
    answer = shop.app.test_client().post(
        "/pay/callback", data=body, headers={"X-Signature": signing.sign(body, SECRET)}
    )
    assert answer.status_code == 200

    with shop.app.app_context():
        payment = shop.db.session.query(payment_class).one()
        assert (payment.status, payment.price) == ("paid", Decimal("1234.5"))
        assert (payment.created_at, payment.reviewed_by) == (NOW, None)

    shop.dispose()
