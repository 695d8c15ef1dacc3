"""The HTTP half of every floor: the signature over the raw bytes, the body, then a recorder."""

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from flask import Flask, request
from flask.typing import ResponseReturnValue

from tests.benchmarks.deliveries import CALLBACK_SECRET

#: What a status may follow, so that a late or repeated report changes nothing.
FOLLOWS = {
    "paid": ("pending", "failed", "expired"),
    "failed": ("pending",),
    "expired": ("pending",),
    "pending": (),
}


@dataclass(slots=True)
class Report:
    """The fields of a callback that a careful receiver looks at."""

    session_id: str
    status: str
    order_id: str
    price: Decimal
    currency: str
    body: bytes


def add_callback(app: Flask, record: Callable[[Report], None] | None) -> None:
    """Give *app* the callback route; without *record* it verifies the signature and no more."""
    app.config["MAX_CONTENT_LENGTH"] = 64 * 1024

    @app.post("/pay/callback")
    def callback() -> ResponseReturnValue:
        body = request.get_data()
        expected = hmac.new(CALLBACK_SECRET.encode(), body, hashlib.sha256).hexdigest()
        signature = request.headers.get("X-Signature", "")
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            return "", 401

        if record is None:
            return "", 200

        report = parse(body)
        if report is None:
            return "", 400

        record(report)
        return "", 200


def parse(body: bytes) -> Report | None:
    """Read a callback's body; None if it lacks what the shop must know."""
    try:
        data = json.loads(body)
        report = Report(
            session_id=str(data["sessionId"]),
            status=str(data["status"]),
            order_id=str(data["orderId"]),
            price=Decimal(data["price"]),
            currency=str(data["currency"]).upper(),
            body=body,
        )
    except (ValueError, KeyError, TypeError, InvalidOperation):
        return None

    return report if report.status in FOLLOWS else None
