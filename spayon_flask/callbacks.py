"""Callbacks as Spayon would write them, for tests and for trying a shop's own handlers."""

from __future__ import annotations

import json
from datetime import datetime
from datetime import timezone
from typing import Any

from .money import plain


#: The decline of a failed payment (Spayon's documentation, callbacks).
DECLINE = {"transactionId": 161, "responseCode": "05", "responseReasonEn": "Do not honor"}


def write_callback(payment: Any, status: str, *, now: datetime, **changes: Any) -> bytes:
    """Return the body of a callback that reports *status* for *payment*, as of *now*.

    It has the documented fields, in the documented order, with the payment's own price, currency
    and order. *changes* replace fields under Spayon's names; a field that is None is left out.
    """
    fields = {
        "sessionId": payment.session_id,
        "status": status,
        "productName": payment.product_name,
        "price": None if payment.price is None else plain(payment.price),
        "currency": payment.currency,
        "createdAt": timestamp(payment.created_at),
        "updatedAt": timestamp(now),
        "orderId": payment.order_id,
        "declineReasons": [DECLINE] if status == "failed" else None,
    } | changes
    kept = {name: value for name, value in fields.items() if value is not None}
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode()


def timestamp(moment: datetime) -> str:
    """Write *moment* as Spayon does: ISO 8601 in UTC, with milliseconds."""
    moment = moment.astimezone(timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
