"""A shop that has been with us since an earlier release moves to the present one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from datetime import timezone
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import text

from spayon_flask import signing
from tests.migrations.shop import MigratedShop
from tests.migrations.shop import make_migrated_shop
from tests.reports import report
from tests.shop import SECRET


# Said by the env.py that Flask-Migrate writes.
pytestmark = pytest.mark.filterwarnings("ignore:'get_engine' is deprecated:DeprecationWarning")

#: A migration for each release that changed the tables, as it stands in a shop of that day.
RELEASED = sorted((Path(__file__).parent / "released").glob("r*.py"))

PAID = """
    INSERT INTO spayon_payment (account, order_id, reference, session_id, session_url, status,
        product_name, price, currency, decline_reasons, expires_at, created_at, updated_at,
        held_order_id, superseded, attempts)
    VALUES ('spayon', 'A1', 'r1', 'S1', 'https://pay.test/S1', 'paid', 'Tea', 1234.5, 'AMD',
        '[{"responseCode": "05"}]', '2026-01-02 03:19:05.678901', '2026-01-02 03:04:05.678901',
        '2026-01-02 03:05:00', 'A1', :no, 1)
"""
PENDING = """
    INSERT INTO spayon_payment (account, order_id, reference, session_id, session_url, status,
        product_name, price, currency, expires_at, created_at, updated_at, held_order_id,
        superseded, due_at, attempts)
    VALUES ('spayon', 'A2', 'r2', 'S2', 'https://pay.test/S2', 'pending', 'Tea', 1000, 'AMD',
        '2026-01-02 03:19:05', '2026-01-02 03:04:05', '2026-01-02 03:04:05', 'A2', :no,
        '2026-01-02 03:06:00', 0)
"""
CALLBACK = """
    INSERT INTO spayon_callback (account, session_id, status, source, verdict, body, received_at)
    VALUES ('spayon', 'S1', 'paid', 'callback', 'applied', :body, '2026-01-02 03:05:00')
"""


@pytest.fixture(params=RELEASED, ids=lambda path: path.stem)
def old_shop(
    request: pytest.FixtureRequest, database_url: str, tmp_path: Path
) -> Iterator[MigratedShop]:
    """A shop with the tables of an earlier release, and payments in them."""
    shop = make_migrated_shop(database_url, tmp_path / "migrations")
    shop.adopt(request.param)
    shop.upgrade()

    with shop.app.app_context():
        # What PostgreSQL takes for text without a zone is in the zone of its session.
        if shop.db.engine.name == "postgresql":
            shop.db.session.execute(text("SET TIME ZONE 'UTC'"))

        shop.db.session.execute(text(PAID), {"no": False})
        shop.db.session.execute(text(PENDING), {"no": False})
        shop.db.session.execute(text(CALLBACK), {"body": b'{"sessionId": "S1"}'})
        shop.db.session.commit()

    yield shop
    shop.dispose()


def test_the_payments_of_an_earlier_release_are_all_there(old_shop: MigratedShop) -> None:
    old_shop.migrate()
    old_shop.upgrade()

    with old_shop.app.app_context():
        session = old_shop.db.session
        paid = session.query(old_shop.spayon.Payment).filter_by(session_id="S1").one()
        assert (paid.status, paid.price, paid.currency) == ("paid", Decimal("1234.5"), "AMD")
        assert paid.created_at == datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone.utc)
        assert paid.decline_reasons == [{"responseCode": "05"}]
        callback = session.query(old_shop.spayon.Callback).one()
        assert (callback.verdict, callback.body) == ("applied", b'{"sessionId": "S1"}')


def test_a_payment_begun_under_an_earlier_release_is_paid_under_this_one(
    old_shop: MigratedShop,
) -> None:
    old_shop.migrate()
    old_shop.upgrade()
    body = report("S2", orderId="A2")

    answer = old_shop.app.test_client().post(
        "/pay/callback", data=body, headers={"X-Signature": signing.sign(body, SECRET)}
    )

    assert answer.status_code == 200

    with old_shop.app.app_context():
        payments = old_shop.db.session.query(old_shop.spayon.Payment)
        assert payments.filter_by(session_id="S2").one().status == "paid"


def test_after_the_upgrade_nothing_is_left_to_migrate(old_shop: MigratedShop) -> None:
    old_shop.migrate()
    old_shop.upgrade()

    assert old_shop.migrate() == []


def test_the_upgrade_can_be_undone(old_shop: MigratedShop) -> None:
    old_shop.migrate()
    old_shop.upgrade()

    old_shop.downgrade("0_1_0")

    with old_shop.app.app_context():
        count = old_shop.db.session.execute(text("SELECT count(*) FROM spayon_payment"))
        assert count.scalar() == 2


def test_a_column_that_is_missing_is_added_without_loss(old_shop: MigratedShop) -> None:
    with old_shop.app.app_context():
        old_shop.db.session.execute(text("ALTER TABLE spayon_payment DROP COLUMN reviewed_by"))
        old_shop.db.session.commit()

    old_shop.migrate()
    old_shop.upgrade()

    with old_shop.app.app_context():
        payments = old_shop.db.session.query(old_shop.spayon.Payment)
        assert [each.reviewed_by for each in payments] == [None, None]


def test_backfill_learns_from_the_reports_of_an_earlier_release(old_shop: MigratedShop) -> None:
    with old_shop.app.app_context():
        body = report("S1", price="1234.5", updatedAt="2026-01-02T03:04:59.000Z")
        old_shop.db.session.execute(text("UPDATE spayon_callback SET body = :body"), {"body": body})
        old_shop.db.session.commit()

    old_shop.migrate()
    old_shop.upgrade()
    result = old_shop.app.test_cli_runner().invoke(args=["spayon", "backfill"])

    assert result.output.startswith("filled 1 payments")

    with old_shop.app.app_context():
        payments = old_shop.db.session.query(old_shop.spayon.Payment)
        paid = payments.filter_by(session_id="S1").one()
        assert paid.paid_at == datetime(2026, 1, 2, 3, 4, 59, tzinfo=timezone.utc)
        assert (paid.reported_price, paid.reported_currency) == (Decimal("1234.5"), "AMD")
        assert payments.filter_by(session_id="S2").one().paid_at is None
