"""Reports as Spayon writes them."""

import json
from typing import Any


def report(session_id: str = "S1", status: object = "paid", **fields: Any) -> bytes:
    """Return the body of a callback; a field that is None is left out."""
    data = {
        "sessionId": session_id,
        "status": status,
        "productName": "Tea",
        "price": "1000",
        "currency": "AMD",
        "createdAt": "2026-11-22T12:00:00.000Z",
        "updatedAt": "2026-11-22T12:01:00.000Z",
        "orderId": "A1",
    } | fields
    return json.dumps({key: value for key, value in data.items() if value is not None}).encode()
