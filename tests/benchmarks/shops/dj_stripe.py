"""dj-stripe recording an event: its own webhook view, and a receiver that ships the order.

Django has one database here, connections that are kept, and no middleware.
"""

import logging
from typing import Any
from urllib.parse import urlsplit

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from tests.benchmarks.deliveries import CALLBACK_SECRET, PRICE, STRIPE_ENDPOINT, order_id
from tests.benchmarks.shops import database_url

API_KEY = "sk_test_benchmarkbenchmarkbenchmark"

ORDERS = """
CREATE TABLE shop_order (
    id varchar(64) PRIMARY KEY, title varchar(200) NOT NULL, total numeric(19, 4) NOT NULL,
    shipped integer NOT NULL
)
"""
PLACE = "INSERT INTO shop_order (id, title, total, shipped) VALUES (%s, 'Iphone 16S', %s, 0)"
SHIP = "UPDATE shop_order SET shipped = shipped + 1 WHERE id = %s"

url = urlsplit(database_url())
settings.configure(
    ALLOWED_HOSTS=["*"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": url.path.lstrip("/"),
            "USER": url.username or "",
            "PASSWORD": url.password or "",
            "HOST": url.hostname,
            "PORT": url.port,
            "CONN_MAX_AGE": None,
        }
    },
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "djstripe"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    LOGGING_CONFIG=None,
    MIDDLEWARE=[],
    SECRET_KEY="benchmark",
    USE_TZ=True,
    ROOT_URLCONF=__name__,
    STRIPE_TEST_SECRET_KEY=API_KEY,
    STRIPE_LIVE_MODE=False,
    DJSTRIPE_FOREIGN_KEY_TO_FIELD="id",
    # Nothing listens there: an event that made dj-stripe call Stripe would fail, and be seen.
    STRIPE_API_HOST="http://127.0.0.1:9",
)
django.setup()

# No contender writes a line per request.
for name in ("django", "djstripe"):
    logging.getLogger(name).setLevel(logging.CRITICAL)

from django.core.wsgi import get_wsgi_application  # noqa: E402  Django is configured first
from django.urls import include, path  # noqa: E402  as above
from djstripe import models  # noqa: E402  as above
from djstripe.event_handlers import djstripe_receiver  # noqa: E402  as above

urlpatterns = [path("stripe/", include("djstripe.urls", namespace="djstripe"))]
application = get_wsgi_application()


def fulfil(sender: object, event: Any, **options: object) -> None:
    """Do what our shop does when it is paid."""
    with connection.cursor() as cursor:
        cursor.execute(SHIP, (event.data["object"]["metadata"]["order_id"],))


djstripe_receiver("cash_balance.funds_available")(fulfil)


def create() -> None:
    """Make the tables, and the account and endpoint that a real shop has synchronised."""
    call_command("migrate", verbosity=0, run_syncdb=True)

    with connection.cursor() as cursor:
        cursor.execute(ORDERS)

    account = models.Account.objects.create(id="acct_benchmark", livemode=False, stripe_data={})
    models.APIKey.objects.create(
        id="key_benchmark",
        secret=API_KEY,
        type="secret",
        livemode=False,
        djstripe_owner_account=account,
    )
    models.WebhookEndpoint.objects.create(
        id="we_benchmark",
        djstripe_uuid=STRIPE_ENDPOINT,
        secret=CALLBACK_SECRET,
        url="http://127.0.0.1/",
        status="enabled",
        enabled_events=["*"],
        livemode=False,
        djstripe_owner_account=account,
        djstripe_tolerance=30000,
        stripe_data={},
    )


def fill(first: int, count: int) -> None:
    """Place orders; dj-stripe needs no payments beforehand."""
    with connection.cursor() as cursor:
        rows = [(order_id(number), PRICE) for number in range(first, first + count)]
        cursor.executemany(PLACE, rows)
