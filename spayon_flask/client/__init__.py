"""Client: the gateway's API over HTTP."""

from __future__ import annotations

from .client import Client
from .payment_sessions import PaymentSession

__all__ = ["Client", "PaymentSession"]
