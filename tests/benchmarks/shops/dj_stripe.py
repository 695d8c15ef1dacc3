"""dj-stripe recording an event: its own webhook view, and a receiver that ships the order."""

from typing import Any

from tests.benchmarks.deliveries import CALLBACK_SECRET
from tests.benchmarks.shops import django_base

ENDPOINT = "6f1f7c52-3c2b-4a52-9a8a-0d7e51c0b7aa"
API_KEY = "sk_test_benchmarkbenchmarkbenchmark"

django_base.configure(
    "djstripe",
    ROOT_URLCONF=__name__,
    STRIPE_TEST_SECRET_KEY=API_KEY,
    STRIPE_LIVE_MODE=False,
    DJSTRIPE_FOREIGN_KEY_TO_FIELD="id",
    # Nothing listens there: an event that made dj-stripe call Stripe would fail, and be seen.
    STRIPE_API_HOST="http://127.0.0.1:9",
)

from django.core.wsgi import get_wsgi_application  # noqa: E402  Django is configured first
from django.urls import include, path  # noqa: E402  as above
from djstripe import models  # noqa: E402  as above
from djstripe.event_handlers import djstripe_receiver  # noqa: E402  as above

urlpatterns = [path("stripe/", include("djstripe.urls", namespace="djstripe"))]
application = get_wsgi_application()


def fulfil(sender: object, event: Any, **options: object) -> None:
    """Do what our shop does when it is paid."""
    django_base.ship(event.data["object"]["metadata"]["order_id"])


djstripe_receiver("cash_balance.funds_available")(fulfil)


def create() -> None:
    """Make the tables, and the account and endpoint that a real shop has synchronised."""
    django_base.create_tables()
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
        djstripe_uuid=ENDPOINT,
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
    django_base.place_orders(first, count)
