"""django-payments: a provider whose `process_data` takes callbacks, its signal as handler."""

import hashlib
import hmac
import json
from decimal import Decimal
from typing import Any

from tests.benchmarks.deliveries import CALLBACK_SECRET
from tests.benchmarks.deliveries import CURRENCY
from tests.benchmarks.deliveries import PRICE
from tests.benchmarks.deliveries import order_id
from tests.benchmarks.deliveries import session_id
from tests.benchmarks.shops import django_base


django_base.configure(
    "payments",
    "tests.benchmarks.shops.django_payments_app",
    ROOT_URLCONF=__name__,
    PAYMENT_HOST="127.0.0.1",
    PAYMENT_MODEL="django_payments_app.Payment",
    PAYMENT_VARIANTS={"spayon": (f"{__name__}.SpayonProvider", {})},
)

from django.core.wsgi import get_wsgi_application  # noqa: E402  Django is configured first
from django.http import HttpResponse  # noqa: E402  as above
from django.urls import include  # noqa: E402  as above
from django.urls import path  # noqa: E402  as above
from payments import PaymentError  # noqa: E402  as above
from payments import PaymentStatus  # noqa: E402  as above
from payments.core import BasicProvider  # noqa: E402  as above
from payments.signals import status_changed  # noqa: E402  as above

from tests.benchmarks.shops.django_payments_app.models import Payment  # noqa: E402  as above


class SpayonProvider(BasicProvider):  # type: ignore[misc]  # a base without types
    """Spayon as a provider of django-payments."""

    def get_token_from_request(self, payment: Any, request: Any) -> str:
        """Verify the callback, and find the payment that it is about."""
        expected = hmac.new(CALLBACK_SECRET.encode(), request.body, hashlib.sha256).hexdigest()
        signature = request.headers.get("X-Signature", "")
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            raise PaymentError("X-Signature does not match the body", code=401)

        return str(json.loads(request.body)["sessionId"])

    def process_data(self, payment: Any, request: Any) -> HttpResponse:
        """Compare the money, and change the payment's status."""
        report = json.loads(request.body)
        asked = (payment.total, payment.currency, payment.description)
        told = (Decimal(report["price"]), report["currency"], report["orderId"])
        if report["status"] != "paid":
            payment.change_status(PaymentStatus.REJECTED)
        elif asked == told:
            payment.change_status(PaymentStatus.CONFIRMED)
        else:
            payment.change_status(PaymentStatus.ERROR)

        return HttpResponse()


def fulfil(sender: object, instance: Any, **options: object) -> None:
    """Ship the order of a payment that is confirmed, as django-payments' documentation shows."""
    if instance.status == PaymentStatus.CONFIRMED:
        django_base.ship(instance.description)


status_changed.connect(fulfil)
urlpatterns = [path("pay/", include("payments.urls"))]
application = get_wsgi_application()
create = django_base.create_tables


def fill(first: int, count: int) -> None:
    """Place orders, and open a payment for each."""
    django_base.place_orders(first, count)
    Payment.objects.bulk_create(
        Payment(
            variant="spayon",
            token=session_id(number),
            description=order_id(number),
            total=Decimal(PRICE),
            currency=CURRENCY,
        )
        for number in range(first, first + count)
    )
