"""Celery on a real Redis: the example in the documentation, with a worker of its own."""

import os
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from tests.needs import missing
from tests.shop import CONFIG

pytestmark = pytest.mark.thorough

REDIS = os.environ.get("SPAYON_TESTS_REDIS", "redis://127.0.0.1:6379/15")
ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"

#: Pay an order within a process of its own, as the web server would be.
PAY = """
import sys
from celery_shop import ShopOrder, app, db
from spayon_flask.testing import Payer, connect

with app.app_context():
    db.session.add(ShopOrder(id=sys.argv[1], code=f"code-of-{sys.argv[1]}"))
    db.session.commit()

Payer(app, connect(app), key_of=lambda order: f"code-of-{order}").pay(sys.argv[1])
"""

#: Hand a callback row to the queue once more.
AGAIN = """
import sys
from celery_shop import app, hand_over

with app.app_context():
    hand_over(int(sys.argv[1]))
"""


@dataclass
class CeleryShop:
    """The example, with its database and its worker."""

    database: Path
    environment: dict[str, str]
    worker: subprocess.Popen[str]

    def python(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run Python where the example can be imported."""
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=EXAMPLES,
            env=self.environment | environment,
            capture_output=True,
            check=False,
            text=True,
            timeout=120,
        )

    def next_result(self) -> str:
        """Wait for the worker to finish a task, and return what it returned."""
        assert self.worker.stdout is not None

        for line in self.worker.stdout:
            if " succeeded in " in line:
                return line.rpartition(": ")[2].strip().strip("'")

        raise AssertionError("the worker has ended")

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Return rows of the database."""
        with closing(sqlite3.connect(self.database)) as connection:
            return list(connection.execute(query))

    def execute(self, statement: str) -> None:
        """Change the database."""
        with closing(sqlite3.connect(self.database)) as connection, connection:
            connection.execute(statement)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[CeleryShop]:
    """The example with a real worker, on a queue of its own."""
    server = redis.Redis.from_url(REDIS)
    queue = f"spayon-tests-{uuid.uuid4().hex}"

    try:
        server.ping()

    except redis.ConnectionError:
        missing("a Redis server")

    database = tmp_path / "shop.db"
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(EXAMPLES))),
        "CELERY_BROKER_URL": REDIS,
        "CELERY_QUEUE": queue,
        "FLASK_SQLALCHEMY_DATABASE_URI": f"sqlite:///{database}",
        **{f"FLASK_{key}": str(CONFIG[key]) for key in CONFIG if key.startswith("SPAYON_")},
    }
    subprocess.run(
        [sys.executable, "-m", "flask", "--app", "celery_shop", "create-tables"],
        cwd=EXAMPLES,
        env=environment,
        check=True,
    )
    worker = subprocess.Popen(
        [
            *(sys.executable, "-m", "celery", "-A", "celery_shop.celery", "worker", "-P", "solo"),
            *("-l", "INFO", "--without-gossip", "--without-mingle", "--without-heartbeat"),
        ],
        cwd=EXAMPLES,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    yield CeleryShop(database, environment, worker)
    worker.terminate()
    worker.communicate(timeout=30)
    server.delete(queue, f"_kombu.binding.{queue}")
    server.close()


def test_a_paid_order_is_shipped_by_the_worker_once(shop: CeleryShop) -> None:
    paid = shop.python("-c", PAY, "A1")
    assert paid.returncode == 0, paid.stderr
    assert shop.next_result() == "shipped"

    ((callback_id, dispatch_at),) = shop.rows("SELECT id, dispatch_at FROM spayon_callback")
    again = shop.python("-c", AGAIN, str(callback_id))

    assert again.returncode == 0, again.stderr
    assert shop.next_result() == "shipped already"
    assert dispatch_at is None
    assert shop.rows("SELECT order_id, callback_id FROM parcel") == [("A1", callback_id)]


def test_with_redis_away_the_callback_is_taken_and_reconcile_hands_it_over(
    shop: CeleryShop,
) -> None:
    paid = shop.python("-c", PAY, "A1", CELERY_BROKER_URL="redis://127.0.0.1:9/0")

    # Spayon got its 200: the payer fails otherwise.
    assert paid.returncode == 0, paid.stderr
    assert shop.rows("SELECT paid FROM shop_order") == [(1,)]
    assert shop.rows("SELECT count(*) FROM spayon_callback WHERE dispatch_at IS NOT NULL") == [(1,)]

    # As if the minute were over that a hand-over may take.
    shop.execute("UPDATE spayon_callback SET dispatch_at = '2026-01-01 00:00:00.000000'")
    result = shop.python("-m", "flask", "--app", "celery_shop", "spayon", "reconcile")

    assert result.returncode == 0, result.stdout + result.stderr
    assert "handed over 1" in result.stdout
    assert shop.next_result() == "shipped"
    assert shop.rows("SELECT order_id FROM parcel") == [("A1",)]
