"""Sessions, deliveries and requests as JSON has them, and back."""

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from .creation import Creation
from .deliveries import Attempt
from .deliveries import Delivery
from .history import ApiRequest
from .sessions import STEPS_KEPT
from .sessions import Decline
from .sessions import PaymentSession
from .sessions import Step


Record = dict[str, Any]


def session_out(session: PaymentSession) -> Record:
    """Return *session* as JSON has it."""
    return {
        "id": session.id,
        "creation": asdict(session.creation) | {"price": str(session.creation.price)},
        "created_at": session.created_at.isoformat(),
        "updated_at": session.updated_at.isoformat(),
        "status": session.status,
        "declines": [asdict(decline) for decline in session.declines],
        "attempts": dict(session.attempts),
        "timeline": [[step.at.isoformat(), step.text] for step in list(session.timeline)],
    }


def session_in(record: Mapping[str, Any]) -> PaymentSession:
    """Return the session that `session_out` made *record* of."""
    creation = dict(record["creation"])
    creation["price"] = Decimal(creation["price"])
    for key in ("payment_methods", "unknown_fields"):
        creation[key] = tuple(creation[key])

    steps = [Step(datetime.fromisoformat(at), text) for at, text in record["timeline"]]
    return PaymentSession(
        record["id"],
        Creation(**creation),
        datetime.fromisoformat(record["created_at"]),
        record["status"],
        updated_at=datetime.fromisoformat(record["updated_at"]),
        declines=[Decline(**decline) for decline in record["declines"]],
        attempts=dict(record["attempts"]),
        timeline=deque(steps, maxlen=STEPS_KEPT),
    )


def delivery_out(delivery: Delivery) -> Record:
    """Return *delivery* as JSON has it."""
    record = {
        field.name: getattr(delivery, field.name)
        for field in fields(delivery)
        if field.name not in {"tried", "attempts"}
    }
    return record | {
        "body": delivery.body.decode(),
        "made_at": delivery.made_at.isoformat(),
        "due_at": delivery.due_at and delivery.due_at.isoformat(),
        "attempts": [
            asdict(attempt) | {"at": attempt.at.isoformat()} for attempt in list(delivery.attempts)
        ],
    }


def delivery_in(record: Mapping[str, Any]) -> Delivery:
    """Return the delivery that `delivery_out` made *record* of."""
    attempts = [
        Attempt(**attempt | {"at": datetime.fromisoformat(attempt["at"])})
        for attempt in record["attempts"]
    ]
    delivery = Delivery(
        **dict(record)
        | {
            "body": record["body"].encode(),
            "made_at": datetime.fromisoformat(record["made_at"]),
            "due_at": datetime.fromisoformat(record["due_at"]) if record["due_at"] else None,
            "attempts": attempts,
        }
    )
    if attempts:
        delivery.tried.set()

    return delivery


def request_out(request: ApiRequest) -> Record:
    """Return *request* as JSON has it."""
    return asdict(request) | {"at": request.at.isoformat()}


def request_in(record: Mapping[str, Any]) -> ApiRequest:
    """Return the request that `request_out` made *record* of."""
    return ApiRequest(**dict(record) | {"at": datetime.fromisoformat(record["at"])})
