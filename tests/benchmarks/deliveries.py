"""Callbacks made before the clock starts: bodies, signatures and whole HTTP requests."""

import hashlib
import hmac
import json
import time
import uuid

CALLBACK_SECRET = "benchmark-callback-secret"
PRICE = "5000.00"
CURRENCY = "AMD"
CREATED_AT = "2025-06-11T17:02:51.118Z"
UPDATED_AT = "2025-06-11T17:03:15.202Z"

#: dj-stripe gives every endpoint a UUID of its own; see shops/dj_stripe.py.
STRIPE_ENDPOINT = "6f1f7c52-3c2b-4a52-9a8a-0d7e51c0b7aa"


def session_id(number: int) -> str:
    """Name the payment session of *number*, spread over the key space as real ones are."""
    return str(uuid.UUID(hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest()))


def order_id(number: int) -> str:
    """Name the order of *number*."""
    return f"ORDER_{number}"


def paid(number: int, signed: bool) -> bytes:
    """Sign a `paid` callback; with *signed* off the signature is another body's."""
    report = {
        "sessionId": session_id(number),
        "status": "paid",
        "productName": "Iphone 16S",
        "price": PRICE,
        "currency": CURRENCY,
        "createdAt": CREATED_AT,
        "updatedAt": UPDATED_AT,
        "orderId": order_id(number),
    }
    body = json.dumps(report).encode()
    signature = _hmac(CALLBACK_SECRET, body if signed else body + b" ")
    return _post("/pay/callback", f"X-Signature: {signature}", body)


def stripe_event(number: int, signed: bool) -> bytes:
    """Sign what dj-stripe takes: an event, as Stripe would deliver it."""
    event = {
        "id": f"evt_{session_id(number).replace('-', '')}",
        "object": "event",
        "api_version": "2026-05-27.dahlia",
        "created": 1749661395,
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        # An event for which dj-stripe has no handler of its own, so it asks Stripe nothing.
        "type": "cash_balance.funds_available",
        "data": {
            "object": {
                "object": "cash_balance",
                "available": {"amd": 500000},
                "customer": None,
                "livemode": False,
                "metadata": {"order_id": order_id(number), "price": PRICE, "currency": CURRENCY},
            }
        },
    }
    body = json.dumps(event).encode()
    now = int(time.time())
    signature = _hmac(CALLBACK_SECRET, f"{now}.".encode() + body + (b"" if signed else b" "))
    header = f"Stripe-Signature: t={now},v1={signature}"
    return _post(f"/stripe/webhook/{STRIPE_ENDPOINT}/", header, body)


def _post(path: str, header: str, body: bytes) -> bytes:
    """Write a whole request out."""
    head = (
        *(f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", header),
        *("Content-Type: application/json", f"Content-Length: {len(body)}"),
    )
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def _hmac(secret: str, message: bytes) -> str:
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
