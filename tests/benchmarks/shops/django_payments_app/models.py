"""The shop's payment, as django-payments' documentation has a shop declare it."""

from django.db import models
from payments.models import BasePayment


class Payment(BasePayment):  # type: ignore[misc]  # a base without types
    """One attempt to pay an order."""

    class Meta:
        app_label = "django_payments_app"
        # django-payments looks payments up by token and leaves its index to the shop.
        indexes = (models.Index(fields=["token"]),)
