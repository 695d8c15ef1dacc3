"""Callbacks made before the clock starts: bodies, signatures and whole HTTP requests."""

import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

CALLBACK_SECRET = "benchmark-callback-secret"
PRICE = "5000.00"
CURRENCY = "AMD"
CREATED_AT = "2025-06-11T17:02:51.118Z"
UPDATED_AT = "2025-06-11T17:03:15.202Z"


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One POST to a receiver, the same in content for whoever receives it."""

    path: str
    body: bytes
    headers: dict[str, str]

    def request(self, *, keep_alive: bool) -> bytes:
        """Write the HTTP request out, byte for byte."""
        headers = {
            "Host": "127.0.0.1",
            "Content-Type": "application/json",
            "Content-Length": str(len(self.body)),
            "Connection": "keep-alive" if keep_alive else "close",
            **self.headers,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"POST {self.path} HTTP/1.1\r\n{head}\r\n".encode() + self.body


def session_id(number: int) -> str:
    """Name the payment session of *number*, spread over the key space as real ones are."""
    return str(uuid.UUID(hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest()))


def order_id(number: int) -> str:
    """Name the order of *number*."""
    return f"ORDER_{number}"


def paid(
    numbers: Iterable[int], *, signed: bool = True, path: str = "/pay/callback"
) -> list[Delivery]:
    """Sign a `paid` callback per number; with *signed* off the signature is another body's."""
    return [_paid(number, signed=signed, path=path) for number in numbers]


def _paid(number: int, *, signed: bool, path: str) -> Delivery:
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
    return Delivery(path=path, body=body, headers={"X-Signature": signature})


def stripe_events(numbers: Iterable[int], *, endpoint: str, signed: bool = True) -> list[Delivery]:
    """Sign what dj-stripe takes: an event a number, as Stripe would deliver it to *endpoint*."""
    return [_stripe_event(number, endpoint=endpoint, signed=signed) for number in numbers]


def _stripe_event(number: int, *, endpoint: str, signed: bool) -> Delivery:
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
    return Delivery(
        path=f"/stripe/webhook/{endpoint}/",
        body=body,
        headers={"Stripe-Signature": f"t={now},v1={signature}"},
    )


def _hmac(secret: str, message: bytes) -> str:
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
