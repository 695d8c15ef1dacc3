"""A simulator's memory on disk, so that it survives a restart."""

import json
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from .creation import Creation
from .deliveries import Attempt
from .deliveries import Delivery
from .gateway import Gateway
from .log import ApiRequest
from .sessions import LIFETIME
from .sessions import STEPS_KEPT
from .sessions import Decline
from .sessions import PaymentSession
from .sessions import Step


Record = dict[str, Any]

logger = logging.getLogger(__name__)

#: Seconds between two looks at whether there is something to save.
PAUSE = 1.0


class StateFile:
    """Keep what *gateway* knows in the file *path*, written whole or not at all."""

    def __init__(self, path: Path, gateway: Gateway) -> None:
        self._path = path
        self._gateway = gateway
        self._saved = ""
        self._ending = threading.Event()
        self._thread = threading.Thread(
            target=self._keep_saving, name="simulator-state", daemon=True
        )

    def load(self) -> None:
        """Take back what was saved, if anything was; a `ValueError` says that it is no state."""
        if not self._path.parent.is_dir():
            raise ValueError(f"{self._path} cannot be written: there is no such folder")

        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return

        try:
            restore(self._gateway, json.loads(text))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{self._path} holds no state of a simulator: {error!r}") from error

    def start(self) -> None:
        """Save from now on, soon after anything has happened."""
        self._thread.start()

    def stop(self) -> None:
        """Save for the last time."""
        if self._thread.is_alive():
            self._ending.set()
            self._thread.join()
            self._try_to_save()

    def save(self) -> None:
        """Save, unless nothing has happened since the last time."""
        version = self._gateway.version
        if version == self._saved:
            return

        # Beside the file, because only a rename within one file system happens at once.
        fresh = self._path.with_name(f"{self._path.name}.{os.getpid()}.new")
        fresh.write_text(json.dumps(snapshot(self._gateway)), encoding="utf-8")
        fresh.replace(self._path)
        self._saved = version

    def _try_to_save(self) -> None:
        try:
            self.save()
        except OSError as error:
            logger.warning("The simulator could not save its state: %s", error)

    def _keep_saving(self) -> None:
        pause = PAUSE
        while not self._ending.wait(pause):
            start = time.monotonic()
            self._try_to_save()

            # A large state is saved less often, so that saving stays a small part of the work.
            pause = max(PAUSE, 10 * (time.monotonic() - start))


def snapshot(gateway: Gateway) -> dict[str, Any]:
    """Return all that *gateway* knows, armed faults apart, as JSON has it."""
    return {
        "now": gateway.clock.now().isoformat(),
        "shape": asdict(gateway.shape),
        "holding": gateway.courier.holding,
        "tokens": gateway.tokens.dump(),
        "transactions": gateway.sessions.transactions,
        "sessions": [session_out(session) for session in gateway.sessions],
        "deliveries": [delivery_out(delivery) for delivery in gateway.deliveries],
        "requests": [request_out(request) for request in gateway.requests],
    }


def restore(gateway: Gateway, state: Mapping[str, Any]) -> None:
    """Give *gateway* back what `snapshot` returned; what fell due meanwhile is due at once."""
    saved = datetime.fromisoformat(state["now"])
    if saved > gateway.clock.now():
        gateway.clock.set(saved)

    gateway.shape.change(**state["shape"])
    gateway.courier.holding = bool(state["holding"])
    gateway.tokens.load(state["tokens"])
    gateway.sessions.transactions = int(state["transactions"])
    for session in state["sessions"]:
        gateway.resume(session_in(session))

    for delivery in state["deliveries"]:
        gateway.courier.restore(delivery_in(delivery))

    for request in state["requests"]:
        gateway.requests.add(request_in(request))


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
        "lifetime": session.lifetime,
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
        lifetime=record.get("lifetime", LIFETIME),
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
