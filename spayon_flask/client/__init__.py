"""Client: the gateway's API over HTTP."""

from __future__ import annotations

from .client import Client, PaymentSession

__all__ = ["Client", "PaymentSession"]
