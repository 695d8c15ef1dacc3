"""Bodies: a report as bytes, as Spayon would write it, and what stays once they were removed.

A report holds what Spayon chose to put there, and that may be personal. What we read of a report
stays, and so does a digest: whoever has the bytes elsewhere can prove that they are the ones.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from datetime import timezone
from typing import Any
from typing import NamedTuple

from .money import plain
from .reports import Report


_KEY = "removedBySpayonFlask"

#: What is left of a body begins with these bytes. No report of Spayon's does.
TRIMMED = f'{{"{_KEY}":'.encode()

#: The decline of a failed payment (Spayon's documentation, callbacks).
DECLINE = {"transactionId": 161, "responseCode": "05", "responseReasonEn": "Do not honor"}


class Removal(NamedTuple):
    """The bytes that were removed: their SHA-256 digest in hex, their *length*, and when."""

    sha256: str
    length: int
    removed_at: datetime


def trim(report: Report, *, now: datetime) -> bytes:
    """Return what stays of the body of *report*, removed at *now*.

    `Report.from_json` reads the same from the result as from the body.
    """
    removal = {
        "sha256": hashlib.sha256(report.body).hexdigest(),
        "bytes": len(report.body),
        "at": now.astimezone(timezone.utc).isoformat(timespec="seconds"),
    }
    fields = {
        _KEY: removal,
        "sessionId": report.session_id,
        "status": report.status,
        "orderId": report.order_id,
        "price": _kept(None if report.price is None else plain(report.price), report.has_price),
        "currency": _kept(report.currency, report.has_currency),
        "updatedAt": None if report.updated_at is None else report.updated_at.isoformat(),
        "declineReasons": list(report.decline_reasons) or None,
    }
    kept = {name: value for name, value in fields.items() if value is not None}
    return json.dumps(kept, separators=(",", ":")).encode()


def removal_of(body: bytes) -> Removal | None:
    """Return what is known of the bytes that *body* once was, or None if they were not removed."""
    if not body.startswith(TRIMMED):
        return None

    try:
        said: Any = json.loads(body)[_KEY]
        return Removal(str(said["sha256"]), int(said["bytes"]), datetime.fromisoformat(said["at"]))

    except (ValueError, LookupError, TypeError):
        return None


def _kept(value: str | None, was_there: bool) -> str | None:
    # That a value was there and made no sense is a reason for a review of its own.
    return "unreadable" if value is None and was_there else value


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
