"""What Spayon says of a session, in each of the ways in which its documentation shows it."""

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from .sessions import PaymentSession


#: The two key orders of the documented example callbacks.
ORDERS = {
    "session": (
        "sessionId", "status", "productName", "price", "currency", "createdAt", "updatedAt",
        "orderId", "declineReasons",
    ),
    "status": (
        "status", "price", "orderId", "currency", "sessionId", "createdAt", "updatedAt",
        "productName", "declineReasons",
    ),
}  # fmt: skip

#: What each field of a `Shape` may be.
CHOICES: dict[str, tuple[object, ...]] = {
    "creation_code": (200, 201),
    "creation_keys": ("snake", "camel"),
    "price": ("short", "padded"),
    "key_order": ("session", "status"),
}


@dataclass
class Shape:
    """Choose between the forms that Spayon's documentation leaves open or shows side by side."""

    #: The status code of an answer to a creation, 200 or 201: which one is not documented.
    creation_code: int = 200
    #: `snake` for `session_id` and `session_url`, `camel` for `sessionId` and `sessionUrl`.
    creation_keys: str = "snake"
    #: `short` for "10" and "10.5", `padded` for "10.00": both are in the documented examples.
    price: str = "short"
    #: The key order of reports: `session` comes first, or `status` does.
    key_order: str = "session"

    def change(self, **choices: object) -> None:
        """Take *choices* over; a `ValueError` names what can be chosen instead."""
        for name, value in choices.items():
            allowed = CHOICES.get(name)
            if allowed is None:
                raise ValueError(f"there is no shape {name!r}; there are {', '.join(CHOICES)}")

            if value not in allowed:
                raise ValueError(
                    f"{name} must be one of {', '.join(map(str, allowed))}, not {value!r}"
                )

        for name, value in choices.items():
            setattr(self, name, value)

    def created(self, session_id: str, session_url: str) -> dict[str, str]:
        """Return the answer to a creation."""
        if self.creation_keys == "camel":
            return {"sessionId": session_id, "sessionUrl": session_url}

        return {"session_id": session_id, "session_url": session_url}

    def report(self, session: PaymentSession, **changes: Any) -> bytes:
        """Return the exact bytes that describe *session*, with *changes* made to its fields."""
        fields: dict[str, Any] = {
            "sessionId": session.id,
            "status": session.status,
            "productName": session.creation.product_name,
            "price": self._price(session.creation.price),
            "currency": session.creation.currency,
            "createdAt": timestamp(session.created_at),
            "updatedAt": timestamp(session.updated_at),
        }
        if session.order_id is not None:
            fields["orderId"] = session.order_id

        fields |= changes
        if fields["status"] == "failed":
            fields.setdefault("declineReasons", _declines(session))

        order = [key for key in ORDERS[self.key_order] if key in fields]
        order += [key for key in fields if key not in order]
        body = {key: fields[key] for key in order}
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()

    def _price(self, price: Decimal) -> str:
        short = f"{price.normalize():f}"
        if self.price == "short":
            return short

        whole, _, cents = short.partition(".")
        return f"{whole}.{cents.ljust(2, '0')}"


def timestamp(moment: datetime) -> str:
    """Write *moment* as Spayon does: ISO 8601 in UTC, with milliseconds."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _declines(session: PaymentSession) -> list[dict[str, Any]]:
    return [
        {
            "transactionId": decline.transaction_id,
            "responseCode": decline.code,
            "responseReasonEn": decline.reason,
        }
        for decline in session.declines
    ]
