"""State: what a simulator remembers, as JSON has it, in a file that survives a restart and a kill.

The file has one JSON object in each line. The first line or lines hold all that was known when the
file was written; each line after them holds what has changed since, and replaces what it names.
"""

import json
import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from collections.abc import Iterator
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
PAUSE = 0.25

#: Bytes of changes after which the file is written anew.
GROWTH = 32 * 1024 * 1024

#: Entries in one line of the file.
PIECE = 200

#: The lists of a state, with the key of their entries.
LISTS = {"sessions": "id", "deliveries": "number", "requests": "number"}


class StateFile:
    """Keep what *gateway* knows in the file *path*, at most a second behind."""

    def __init__(self, path: Path, gateway: Gateway) -> None:
        self._path = path
        self._gateway = gateway
        self._saved = ""
        self._tokens = -1
        self._clears = gateway.clears
        self._grown = 0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._keep_saving, daemon=True)

    def load(self) -> None:
        """Take back what was saved, if anything was; a `ValueError` says that it is no state."""
        if not self._path.parent.is_dir():
            raise ValueError(f"{self._path} cannot be written: there is no such folder")

        if self._path.exists():
            load_file(self._gateway, self._path)

        # From now on changes are noted.
        for _, entries, _ in lists(self._gateway):
            entries.take_changed()

    def start(self) -> None:
        """Save from now on, soon after anything has happened."""
        self._try(self.save_all)
        self._thread.start()

    def stop(self) -> None:
        """Save for the last time."""
        if self._thread.is_alive():
            self._ending.set()
            self._thread.join()
            self._try(self.save_all)

    def save_all(self) -> None:
        """Write the file anew; what changes meanwhile is saved as well."""
        # Beside the file, because only a rename within one file system happens at once.
        fresh = self._path.with_name(f"{self._path.name}.{os.getpid()}.new")
        late: list[str] = []
        version = self._gateway.version
        with fresh.open("w", encoding="utf-8") as file:
            for part in parts(self._gateway):
                file.write(json.dumps(part) + "\n")
                late += self.save() if self._saved else ()

            file.writelines(late)

        fresh.replace(self._path)
        self._saved, self._grown = self._saved or version, 0

    def save(self) -> list[str]:
        """Append what has changed since the last time; return the lines that were written."""
        version = self._gateway.version
        if version == self._saved:
            return []

        line = json.dumps(self._changes()) + "\n"
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line)

        self._saved, self._grown = version, self._grown + len(line)
        return [line]

    def _changes(self) -> Record:
        gateway = self._gateway
        changes = next(parts(gateway))
        changes["clear"] = self._clears != gateway.clears
        if self._tokens == gateway.tokens.changes:
            del changes["tokens"]

        self._clears, self._tokens = gateway.clears, gateway.tokens.changes
        for name, entries, out in lists(gateway):
            changes[name] = [out(each) for each in entries.take_changed()]
        return changes

    def _try(self, save: Callable[[], object]) -> None:
        try:
            save()
        except OSError as error:
            # What could not be appended is in the whole file that is written next.
            self._grown = GROWTH + 1
            logger.warning("The simulator could not save its state: %s", error)

    def _keep_saving(self) -> None:
        while not self._ending.wait(PAUSE):
            self._try(self.save_all if self._grown > GROWTH else self.save)


def lists(gateway: Gateway) -> tuple[tuple[str, Any, Callable[[Any], Record]], ...]:
    """Return each list of *gateway* with its name and what writes an entry as JSON."""
    return (
        ("sessions", gateway.sessions, session_out),
        ("deliveries", gateway.deliveries, delivery_out),
        ("requests", gateway.requests, request_out),
    )


def parts(gateway: Gateway) -> Iterator[Record]:
    """Return all that *gateway* knows, armed faults apart, in pieces of a bounded size."""
    yield {
        "now": gateway.clock.now().isoformat(),
        "shape": asdict(gateway.shape),
        "holding": gateway.courier.holding,
        "transactions": gateway.sessions.transactions,
        "tokens": gateway.tokens.dump(),
    }
    for name, entries, out in lists(gateway):
        known = list(entries)
        for start in range(0, len(known), PIECE):
            yield {name: [out(each) for each in known[start : start + PIECE]]}


def load_file(gateway: Gateway, path: Path) -> list[Delivery]:
    """Give *gateway* what the file at *path* holds; return the deliveries among that.

    A `ValueError` says that it is no state. A last line that a kill has cut off is left out.
    """
    whole: dict[str, Any] = {name: {} for name in LISTS}
    lines = path.read_text(encoding="utf-8").splitlines()
    try:
        for index, line in enumerate(lines):
            try:
                part = json.loads(line)
            except ValueError:
                if not index or index + 1 < len(lines):
                    raise

                break

            if part.pop("clear", False):
                whole |= {name: {} for name in LISTS}

            for name, key in LISTS.items():
                whole[name] |= {each[key]: each for each in part.pop(name, ())}

            whole |= part

        return restore(gateway, whole | {name: list(whole[name].values()) for name in LISTS})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} holds no state of a simulator: {error!r}") from error


def restore(gateway: Gateway, state: Mapping[str, Any]) -> list[Delivery]:
    """Give *gateway* back what `snapshot` returned; what fell due meanwhile is due at once."""
    saved = datetime.fromisoformat(state["now"])
    if saved > gateway.clock.now():
        gateway.clock.set(saved)

    gateway.shape.change(**state.get("shape", {}))
    gateway.courier.holding = bool(state.get("holding"))
    gateway.tokens.load(state.get("tokens", {}))
    gateway.sessions.transactions = int(state.get("transactions", gateway.sessions.transactions))
    for session in state["sessions"]:
        gateway.resume(session_in(session))

    deliveries = [delivery_in(delivery) for delivery in state["deliveries"]]
    for delivery in deliveries:
        gateway.courier.restore(delivery)

    for request in state["requests"]:
        gateway.requests.add(request_in(request))

    return deliveries


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
