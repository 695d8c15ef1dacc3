"""Payment sessions: what was asked for, how a session stands, and the cards that end it."""

import itertools
import random
import re
import threading
import uuid
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from .creation import Creation

#: An id of a payment session: anything else is none.
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

STATUSES = ("pending", "paid", "failed", "expired")

#: Spayon's documentation: a session lives 15 minutes, in seconds.
LIFETIME = 900.0

#: Sessions beyond this many are forgotten, the oldest first.
KEPT = 50_000

#: Declined attempts are numbered from here on; the documented example has 161.
FIRST_TRANSACTION = 160

#: Steps remembered in one session's timeline.
STEPS_KEPT = 100

#: Decline codes with the text that comes along. Spayon's documentation names 05, 14 and 1A; the
#: others stand for the ISO 8583 codes and for Spayon's own `SP-XX`, whose list is not public.
REASONS = {
    "05": "Do not honor",
    "14": "Invalid card number, CVV or expiry date",
    "1A": "3D-Secure authentication failed",
    "51": "Insufficient funds",
    "54": "Expired card",
    "91": "Issuer unavailable",
    "SP-07": "Payment blocked by the gateway's risk rules",
}


@dataclass(frozen=True)
class Card:
    """A card number and how each attempt with it in one session ends.

    Of *declines* each attempt takes the next code; once they are used up the card is approved,
    unless it is *final*: then the last code counts for every attempt that follows.
    """

    key: str
    number: str
    declines: tuple[str, ...] = ()
    final: bool = True

    def outcome(self, attempts_before: int) -> str | None:
        """Return the decline code after *attempts_before* earlier attempts, `None` if approved."""
        if attempts_before < len(self.declines):
            return self.declines[attempts_before]

        return self.declines[-1] if self.declines and self.final else None


CARDS = (
    Card("approved", "4111 1111 1111 1111"),
    Card("bank", "4000 0000 0000 0002", ("05",)),
    Card("data", "4000 0000 0000 0069", ("14",)),
    Card("secure", "4000 0000 0000 3220", ("1A",)),
    Card("gateway", "4000 0000 0000 4954", ("SP-07",)),
    Card("funds", "4000 0000 0000 9995", ("51",), final=False),
)

BY_NUMBER = {card.number.replace(" ", ""): card for card in CARDS}

#: A number that is on no list belongs to nobody: Spayon's wrong card data.
WRONG = Card("wrong", "", ("14",))


def find_card(number: str) -> Card:
    """Return the test card with *number*, however it is spaced; any other is wrong card data."""
    digits = "".join(letter for letter in number if letter.isdecimal())
    return BY_NUMBER.get(digits, WRONG)


@dataclass(frozen=True)
class Step:
    """Something that happened to a session, in words."""

    at: datetime
    text: str


@dataclass(frozen=True)
class Decline:
    """A declined attempt to pay."""

    transaction_id: int
    code: str
    reason: str

    @property
    def told(self) -> dict[str, object]:
        """Return the attempt as an entry of a report's `declineReasons`."""
        return {
            "transactionId": self.transaction_id,
            "responseCode": self.code,
            "responseReasonEn": self.reason,
        }


@dataclass
class PaymentSession:
    """A payment session as the gateway sees it."""

    id: str
    creation: Creation
    created_at: datetime
    status: str = "pending"
    updated_at: datetime = field(kw_only=True)
    #: Seconds.
    lifetime: float = LIFETIME
    declines: list[Decline] = field(default_factory=list)
    attempts: dict[str, int] = field(default_factory=dict)
    timeline: deque[Step] = field(default_factory=lambda: deque(maxlen=STEPS_KEPT))

    @property
    def order_id(self) -> str | None:
        """Return the shop's order number."""
        return self.creation.order_id

    @property
    def expires_at(self) -> datetime:
        """Return when the session's life ends."""
        return self.created_at + timedelta(seconds=self.lifetime)

    @property
    def over(self) -> bool:
        """Return True if the session has reached a terminal state."""
        return self.status != "pending"

    @cached_property
    def words(self) -> str:
        """Return what a person may look for, in lower case: id, order, product and price."""
        asked = self.creation
        price = f"{asked.price:,f} {asked.currency} {asked.price:f} {asked.currency}"
        return f"{self.id} {asked.order_id or ''} {asked.product_name} {price}".lower()

    def note(self, at: datetime, text: str) -> None:
        """Add *text* to the timeline."""
        self.timeline.append(Step(at, text))


class Sessions:
    """Keep the sessions, newest last; a *seed* makes their ids repeatable."""

    def __init__(self, *, seed: int | None = None) -> None:
        self._seed = seed
        self._random = self._seeded()
        self._sessions: OrderedDict[str, PaymentSession] = OrderedDict()
        self._orders: dict[str, list[PaymentSession]] = {}
        #: The number of the latest declined attempt.
        self.transactions = FIRST_TRANSACTION
        #: Held for every change of a session.
        self.lock = threading.RLock()
        #: How many sessions have been created.
        self.created = 0
        #: Another number after anything has changed here.
        self.changes = 0
        #: Ids of sessions that have changed since `take_changed`; None if nobody asks.
        self._changed: set[str] | None = None

    def __len__(self) -> int:
        return len(self._sessions)

    def __contains__(self, session_id: object) -> bool:
        return session_id in self._sessions

    def __getitem__(self, session_id: str) -> PaymentSession:
        return self._sessions[session_id]

    def __iter__(self) -> Iterator[PaymentSession]:
        with self.lock:
            return iter(list(self._sessions.values()))

    def get(self, session_id: str) -> PaymentSession | None:
        """Return the session, `None` if there is none of that id."""
        return self._sessions.get(session_id)

    def newest(self, count: int | None = None) -> list[PaymentSession]:
        """Return up to *count* sessions (None: all), newest first."""
        with self.lock:
            return list(itertools.islice(reversed(self._sessions.values()), count))

    def of_order(self, order_id: str) -> list[PaymentSession]:
        """Return the sessions of the shop's order, oldest first."""
        with self.lock:
            return list(self._orders.get(order_id, ()))

    def create(
        self, creation: Creation, now: datetime, *, lifetime: float = LIFETIME
    ) -> PaymentSession:
        """Make a session for *creation* that lives for *lifetime* seconds."""
        with self.lock:
            session = PaymentSession(
                self._new_id(), creation, now, updated_at=now, lifetime=lifetime
            )
            session.note(now, "Created")
            self.keep(session)

        return session

    def keep(self, session: PaymentSession) -> None:
        """Hold on to *session*, at the expense of the oldest one if there are too many."""
        self.created += 1
        self._sessions[session.id] = session
        self.touch(session)
        if session.order_id is not None:
            self._orders.setdefault(session.order_id, []).append(session)

        if len(self._sessions) > KEPT:
            _, old = self._sessions.popitem(last=False)
            self._forget(old)

    def decline(self, session: PaymentSession, code: str, reason: str, now: datetime) -> None:
        """Add a declined attempt to *session*."""
        self.transactions += 1
        session.declines.append(Decline(self.transactions, code, reason))
        session.updated_at = now
        session.note(now, f"Declined: {code}, {reason}")
        self.touch(session)

    def finish(self, session: PaymentSession, status: str, now: datetime) -> None:
        """Move *session* to the terminal state *status*."""
        session.status = status
        session.updated_at = now
        session.note(now, status.capitalize())
        self.touch(session)

    def touch(self, session: PaymentSession) -> None:
        """Note that *session* has changed."""
        with self.lock:
            self.changes += 1
            if self._changed is not None:
                self._changed.add(session.id)

    def take_changed(self) -> list[PaymentSession]:
        """Return the sessions that were made or changed since the last call.

        The first call returns nothing, and has changes noted from then on.
        """
        with self.lock:
            ids, self._changed = self._changed or set(), set()
            found = [self._sessions[each] for each in ids if each in self._sessions]

        return sorted(found, key=lambda session: session.created_at)

    def reset(self) -> None:
        """Forget every session, and begin anew with ids and numbers."""
        with self.lock:
            self._sessions.clear()
            self._orders.clear()
            self._random = self._seeded()
            self.transactions, self.created = FIRST_TRANSACTION, 0
            self.changes += 1

    def _seeded(self) -> random.Random | None:
        return None if self._seed is None else random.Random(self._seed)  # noqa: S311  repeatable, no secret

    def _new_id(self) -> str:
        while True:
            bits = self._random.getrandbits(128) if self._random else uuid.uuid4().int
            session_id = str(uuid.UUID(int=bits, version=4))
            # After a restart a seed begins anew, and the ids that it makes first are taken.
            if session_id not in self._sessions:
                return session_id

    def _forget(self, session: PaymentSession) -> None:
        order = self._orders.get(session.order_id or "", [])
        if session in order:
            order.remove(session)

        if not order:
            self._orders.pop(session.order_id or "", None)


def timestamp(moment: datetime) -> str:
    """Write *moment* as Spayon does: ISO 8601 in UTC, with milliseconds."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def moment(text: str) -> datetime:
    """Return the moment that `isoformat` made *text* of; a `ValueError` if it names no zone."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"{text} names no time zone")

    return found
