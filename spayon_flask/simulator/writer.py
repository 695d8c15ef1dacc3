"""Writes callbacks: the exact bytes and their signature, true or tampered with.

Spayon's documentation: `X-Signature` is the lower-case hex HMAC-SHA256 of the exact raw body,
keyed with the callback secret. It is computed here and shared with nothing else: a shop's side
with code in common could err in the same way, and nobody would notice.
"""

import hmac
from collections.abc import Callable
from typing import Any

from .clock import Clock
from .deliveries import Deliveries
from .deliveries import Delivery
from .reports import Shape
from .sessions import PaymentSession


PRICE = b'"price":"'


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
            sign(body, secret) if signed else "",
            self._clock.now(),
            allowed,
            " and ".join(words for words, was_done in done.items() if was_done),
        )
        self._deliveries.add(delivery)
        return delivery


def sign(body: bytes, secret: str) -> str:
    """Return the lower-case hex HMAC-SHA256 of *body* keyed with *secret*."""
    return hmac.digest(secret.encode(), body, "sha256").hex()


def damage(body: bytes) -> bytes:
    """Return *body* with one byte changed: what a signature is there to notice.

    It is the first digit of the price, as a thief would have it, or else the last byte but one.
    """
    found = body.find(PRICE)
    place = found + len(PRICE) if found >= 0 else max(len(body) - 2, 0)
    changed = b"2" if body[place : place + 1] == b"1" else b"1"
    return body[:place] + changed + body[place + 1 :]
