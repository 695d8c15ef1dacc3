"""Deliveries: callbacks on their way to the shop, with exact bytes, signature and each attempt."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any

from .clock import Clock
from .log import Log
from .sessions import PaymentSession
from .shape import Shape

#: Deliveries remembered.
KEPT = 40_000

PRICE = b'"price":"'


@dataclass(frozen=True)
class Attempt:
    """One attempt to deliver, and what came of it."""

    at: datetime
    status_code: int | None
    seconds: float
    answer: str
    #: Why the attempt failed, in words; "" if it did not.
    cause: str = ""
    #: What was lost on purpose, in words: the callback, or the shop's answer to it.
    lost: str = ""
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def outcome(self) -> str:
        """Return what came of it, in a few words."""
        return self.lost or str(self.status_code or "no answer")

    @property
    def accepted(self) -> bool:
        """Return True if the shop answered 200: by Spayon's documentation that ends redelivery."""
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
    order_id: str | None = None
    #: Who made the callback and how, in words: "first" for the gateway's own report.
    origin: str = "first"
    state: str = "waiting"
    due_at: datetime | None = None
    #: The headers that are sent along.
    headers: tuple[tuple[str, str], ...] = ()
    #: The number of the callback that is sent again by this one.
    again_of: int | None = None
    attempts: list[Attempt] = field(default_factory=list)
    #: Set once the first attempt is over.
    tried: threading.Event = field(default_factory=threading.Event, repr=False)

    def __post_init__(self) -> None:
        if self.attempts:
            self.tried.set()

    @property
    def status_code(self) -> int | None:
        """Return what the shop answered last."""
        return self.attempts[-1].status_code if self.attempts else None

    @property
    def text(self) -> str:
        """Return all of the callback and its answers that a person may look for."""
        answers = "\n".join(each.answer for each in list(self.attempts))
        return f"{self.url}\n{self.body.decode(errors='replace')}\n{answers}".lower()

    @property
    def accepted(self) -> bool:
        """Return True if the shop has taken the callback."""
        return self.state == "delivered"

    @property
    def good(self) -> bool | None:
        """Return True if the shop did the right thing at last; None if that cannot be told."""
        return self.well(self.attempts[-1]) if self.attempts else None

    def well(self, attempt: Attempt) -> bool | None:
        """Return True if the shop did the right thing at *attempt*: a forgery is to be refused.

        None if the simulator has lost the callback or the answer.
        """
        if attempt.lost:
            return None

        right = HTTPStatus.UNAUTHORIZED if self.tampering else HTTPStatus.OK
        return attempt.status_code == right

    def add(self, attempt: Attempt, *, delivered: bool) -> bool:
        """Record *attempt*; return True if another one is to follow, if it is not *delivered*."""
        self.attempts.append(attempt)
        self.due_at = None
        if delivered:
            self.state = "delivered"
        elif self.state != "delivered":
            self.state = "waiting" if len(self.attempts) < self.allowed else "given up"

        return self.state == "waiting"

    def wait(self, timeout: float = 15.0) -> bool:
        """Wait for the first attempt; return True if it was over within *timeout* seconds."""
        return self.tried.wait(timeout)


class Deliveries(Log[Delivery]):
    """Remember the latest deliveries, oldest first."""

    def __init__(self) -> None:
        super().__init__(KEPT)
        #: Another number after anything has changed here.
        self.changes = 0
        #: Every origin and every status that a delivery has had.
        self.origins: set[str] = set()
        self.statuses: set[str] = set()

    def __len__(self) -> int:
        return self.total

    @property
    def made(self) -> int:
        """Return how many deliveries were made in all."""
        return self.total

    def add(self, entry: Delivery) -> None:
        """Remember *entry*."""
        super().add(entry)
        self.origins.add(entry.origin)
        self.statuses.add(entry.status)

    def touch(self, number: int) -> None:
        """Note that the delivery with *number* has changed."""
        super().touch(number)
        self.changes += 1

    def reset(self) -> None:
        """Forget every delivery."""
        super().reset()
        self.origins, self.statuses = set(), set()


class Writer:
    """Write deliveries and enter them into *deliveries*."""

    def __init__(
        self, deliveries: Deliveries, shape: Shape, clock: Clock, callback_secret: Callable[[], str]
    ) -> None:
        self._deliveries = deliveries
        self._shape = shape
        self._clock = clock
        self._callback_secret = callback_secret

    def write(
        self,
        session: PaymentSession,
        *,
        allowed: int = 1,
        secret: str | None = None,
        signed: bool = True,
        damaged: bool = False,
        origin: str = "first",
        **changes: Any,
    ) -> Delivery | None:
        """Write a delivery about *session*; `None` if it names no callback_url.

        *changes* are made to the report before it is signed, with *secret* or the callback
        secret; *damaged* changes a byte afterwards; *signed* off leaves the signature out.
        """
        url = session.creation.callback_url
        if url is None:
            session.note(self._clock.now(), "No callback_url: nobody is told")
            return None

        own = self._callback_secret()
        secret = secret or own
        body = self._shape.report(session, **changes)
        done = {
            "one byte was changed": damaged,
            "it was signed with another secret": signed and secret != own,
            "it was not signed": not signed,
        }
        delivery = Delivery(
            self._deliveries.number(),
            session.id,
            str(changes.get("status", session.status)),
            url,
            damage(body) if damaged else body,
            self._shape.sign(body, secret) if signed else "",
            self._clock.now(),
            allowed,
            " and ".join(words for words, was_done in done.items() if was_done),
            session.order_id,
            origin,
        )
        delivery.headers = self._headers(delivery)
        self._deliveries.add(delivery)
        return delivery

    def rewrite(
        self,
        earlier: Delivery,
        *,
        body: bytes | None = None,
        signature: str = "right",
        old_secret: str = "",
        origin: str = "",
        url: str = "",
    ) -> Delivery:
        """Write *earlier* once more, for one attempt, with another *body* or *url* if given.

        *signature* is `right`, `old` (by *old_secret*), `none`, `other` (of other bytes) or
        `same`, which is that of *earlier* as it stands.
        """
        body = earlier.body if body is None else body
        own = self._callback_secret()
        sign = self._shape.sign
        signatures = {
            "right": (sign(body, own), ""),
            "old": (sign(body, old_secret), "it was signed with another secret"),
            "none": ("", "it was not signed"),
            "other": (sign(damage(body), own), "the signature is of other bytes"),
            "same": (earlier.signature, earlier.tampering),
        }
        if signature not in signatures:
            raise ValueError(f"signature must be one of {', '.join(signatures)}, not {signature!r}")

        written, tampering = signatures[signature]
        edited = "by hand" if body == earlier.body else "edited"
        delivery = Delivery(
            self._deliveries.number(),
            earlier.session_id,
            _status_in(body) or earlier.status,
            url or earlier.url,
            body,
            written,
            self._clock.now(),
            tampering=tampering,
            order_id=earlier.order_id,
            origin=origin or ("forged" if tampering else edited),
            again_of=earlier.number,
        )
        delivery.headers = self._headers(delivery)
        self._deliveries.add(delivery)
        return delivery

    def _headers(self, delivery: Delivery) -> tuple[tuple[str, str], ...]:
        sent = {"Content-Type": self._shape.content_type}
        if delivery.signature:
            sent[self._shape.signature_header] = delivery.signature

        return tuple(sent.items())


def _status_in(body: bytes) -> str | None:
    try:
        return str(json.loads(body)["status"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def damage(body: bytes) -> bytes:
    """Return *body* with one byte changed: what a signature is there to notice.

    It is the first digit of the price, as a thief would have it, or else the last byte but one.
    """
    found = body.find(PRICE)
    place = found + len(PRICE) if found >= 0 else max(len(body) - 2, 0)
    changed = b"2" if body[place : place + 1] == b"1" else b"1"
    return body[:place] + changed + body[place + 1 :]
