"""Celery on a real Redis: the example in the documentation, with a worker of its own."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.neighbours.processes import Processes, forget
from tests.shop import CONFIG
from tests.waiting import wait_until

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[2]

#: Pay an order within a process of its own, as the web server would be.
PAY = """
from celery_shop import ShopOrder, app, db
from spayon_flask.testing import Payer, connect

with app.app_context():
    db.session.add(ShopOrder(id="A1", code="code-of-A1"))
    db.session.commit()

Payer(app, connect(app), key_of=lambda order: f"code-of-{order}").pay("A1")
"""

#: Hand a callback row to the queue once more.
AGAIN = """
import sys
from celery_shop import app, hand_over

with app.app_context():
    hand_over(int(sys.argv[1]))
"""


@pytest.fixture
def shop(redis_url: str, tmp_path: Path) -> Iterator[Processes]:
    """The example with a real worker, on a queue of its own."""
    queue = f"spayon-tests-{uuid.uuid4().hex}"
    environment = {
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "docs" / "examples"))),
        "CELERY_BROKER_URL": redis_url,
        "CELERY_QUEUE": queue,
        **{f"FLASK_{key}": str(CONFIG[key]) for key in CONFIG if key.startswith("SPAYON_")},
    }
    shop = Processes(tmp_path, f"sqlite:///{tmp_path / 'shop.db'}", environment)
    shop.run("-m", "flask", "--app", "celery_shop", "create-tables")

    with shop.worker("celery_shop.celery"):
        yield shop

    shop.close()
    forget(redis_url, queue)


def test_with_redis_away_the_callback_is_taken_and_reconcile_hands_it_over(
    shop: Processes,
) -> None:
    # Spayon gets its 200: the payer fails otherwise.
    shop.run("-c", PAY, CELERY_BROKER_URL="redis://127.0.0.1:9/0")
    assert shop.rows("SELECT paid FROM shop_order") == [(1,)]
    ((callback_id,),) = shop.rows("SELECT id FROM spayon_callback WHERE dispatch_at IS NOT NULL")

    # As if the minute were over that a hand-over may take.
    shop.execute("UPDATE spayon_callback SET dispatch_at = '2026-01-01 00:00:00.000000'")
    said = shop.run("-m", "flask", "--app", "celery_shop", "spayon", "reconcile")
    assert "handed over 1" in said
    wait_until(lambda: shop.rows("SELECT order_id FROM parcel"))

    # However often it is handed over, the worker ships once.
    shop.run("-c", AGAIN, str(callback_id))
    wait_until(lambda: "shipped already" in (shop.folder / "worker.log").read_text())
    assert shop.rows("SELECT order_id, callback_id FROM parcel") == [("A1", callback_id)]
    assert shop.rows("SELECT dispatch_at FROM spayon_callback") == [(None,)]
