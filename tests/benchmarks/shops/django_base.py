"""Django as dj-stripe runs in it here: one database, kept connections, no middleware."""

import logging
import os
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from tests.benchmarks.deliveries import PRICE, order_id
from tests.benchmarks.shops import database_url

ORDERS = """
CREATE TABLE shop_order (
    id varchar(64) PRIMARY KEY, title varchar(200) NOT NULL, total numeric(19, 4) NOT NULL,
    shipped integer NOT NULL
)
"""
PLACE = "INSERT INTO shop_order (id, title, total, shipped) VALUES (%s, 'Iphone 16S', %s, 0)"
SHIP = "UPDATE shop_order SET shipped = shipped + 1 WHERE id = %s"


def configure(*apps: str, **options: Any) -> None:
    """Set Django up with *apps*; connections live as long as their threads."""
    settings.configure(
        ALLOWED_HOSTS=["*"],
        DATABASES={"default": {**_database(), "CONN_MAX_AGE": None}},
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", *apps],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        LOGGING_CONFIG=None,
        MIDDLEWARE=[],
        SECRET_KEY="benchmark",
        USE_TZ=True,
        **options,
    )
    django.setup()
    # No contender writes a line per request.
    for name in ("django", "djstripe"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _database() -> dict[str, Any]:
    backend, _, rest = database_url().partition("://")
    if backend.startswith("sqlite"):
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": f"/{rest.lstrip('/')}",
            # Deferred transactions that turn into writers are refused when two workers write.
            "OPTIONS": {"transaction_mode": "IMMEDIATE"},
        }

    user, _, place = rest.rpartition("@")
    host, _, name = place.partition("/")
    address, _, port = host.partition(":")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": user.partition(":")[0] or os.environ.get("PGUSER", ""),
        "HOST": address,
        "PORT": port,
    }


def create_tables() -> None:
    """Run the migrations, and make the shop's own table."""
    call_command("migrate", verbosity=0, run_syncdb=True)
    with connection.cursor() as cursor:
        cursor.execute(ORDERS)


def place_orders(first: int, count: int) -> None:
    """Place *count* orders from number *first* on."""
    with connection.cursor() as cursor:
        rows = [(order_id(number), PRICE) for number in range(first, first + count)]
        cursor.executemany(PLACE, rows)


def ship(order: str) -> None:
    """Send an order's goods out: the shop's own work, in the transaction at hand."""
    with connection.cursor() as cursor:
        cursor.execute(SHIP, (order,))
