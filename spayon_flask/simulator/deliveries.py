"""Callbacks on their way to the shop: the bytes, the signature, and each attempt."""

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from datetime import datetime
from http import HTTPStatus


#: Deliveries remembered.
KEPT = 1000


@dataclass(frozen=True)
class Attempt:
    """One attempt to deliver, and what came of it."""

    at: datetime
    status_code: int | None
    seconds: float
    answer: str
    #: Why it failed, in words; empty if it did not.
    cause: str = ""

    @property
    def accepted(self) -> bool:
        """Say whether the shop answered 200: by Spayon's documentation that ends redelivery."""
        return self.status_code == HTTPStatus.OK


@dataclass
class Delivery:
    """One callback, to be delivered until the shop answers 200 or the attempts are used up.

    *state* is `held`, `waiting`, `delivered` or `given up`.
    """

    number: int
    session_id: str
    status: str
    url: str
    body: bytes
    signature: str
    made_at: datetime
    #: How many attempts there are at most.
    allowed: int = 1
    #: What was done to it on purpose, in words.
    tampering: str = ""
    state: str = "waiting"
    due_at: datetime | None = None
    attempts: list[Attempt] = field(default_factory=list)
    #: Set once the first attempt is over.
    tried: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def status_code(self) -> int | None:
        """Return what the shop answered last."""
        return self.attempts[-1].status_code if self.attempts else None

    @property
    def accepted(self) -> bool:
        """Say whether the shop has answered 200."""
        return self.state == "delivered"

    @property
    def good(self) -> bool | None:
        """Say whether the shop did the right thing; `None` as long as it was not asked."""
        return self.well(self.attempts[-1]) if self.attempts else None

    def well(self, attempt: Attempt) -> bool:
        """Say whether the shop did the right thing at *attempt*: a forgery is to be refused."""
        right = HTTPStatus.UNAUTHORIZED if self.tampering else HTTPStatus.OK
        return attempt.status_code == right

    def add(self, attempt: Attempt) -> bool:
        """Record *attempt*; say whether another one is to follow."""
        self.attempts.append(attempt)
        self.due_at = None
        if attempt.accepted:
            self.state = "delivered"
        elif self.state != "delivered":
            self.state = "waiting" if len(self.attempts) < self.allowed else "given up"

        return self.state == "waiting"

    def wait(self, timeout: float = 15.0) -> bool:
        """Wait for the first attempt; say whether it was over within *timeout* seconds."""
        return self.tried.wait(timeout)


class Deliveries:
    """Remember the latest deliveries, oldest first."""

    def __init__(self) -> None:
        self._kept: deque[Delivery] = deque(maxlen=KEPT)
        self._last = 0
        self._lock = threading.Lock()
        #: How many deliveries were made in all.
        self.made = 0
        #: Another number after anything has changed here.
        self.changes = 0

    def __iter__(self) -> Iterator[Delivery]:
        with self._lock:
            return iter(list(self._kept))

    def __len__(self) -> int:
        return self.made

    def number(self) -> int:
        """Return the number for the next delivery."""
        with self._lock:
            self._last += 1
            return self._last

    def add(self, delivery: Delivery) -> None:
        """Remember *delivery*."""
        with self._lock:
            self._kept.append(delivery)
            self._last = max(self._last, delivery.number)
            self.made += 1
            self.changes += 1

    def find(self, number: int) -> Delivery | None:
        """Return the delivery with *number*, as long as it is remembered."""
        return next((delivery for delivery in self if delivery.number == number), None)

    def by_session(self) -> dict[str, list[Delivery]]:
        """Return the remembered deliveries of each session, oldest first."""
        found: dict[str, list[Delivery]] = {}
        for delivery in self:
            found.setdefault(delivery.session_id, []).append(delivery)

        return found

    def of(self, session_id: str) -> list[Delivery]:
        """Return the remembered deliveries of a session, oldest first."""
        return [delivery for delivery in self if delivery.session_id == session_id]
