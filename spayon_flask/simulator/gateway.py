"""The simulated gateway without its web pages: what happens to sessions, and who is told.

The second half is what a developer may do to the gateway and no payer and no shop can.
"""

import threading
from collections.abc import Mapping
from dataclasses import asdict, astuple
from typing import Any

from .clock import Clock
from .courier import Courier
from .creation import Creation, Panel
from .deliveries import Deliveries, Delivery
from .faults import UNKNOWN_STATUS, Fault, Faults
from .log import RequestLog
from .sessions import CARDS, REASONS, Card, PaymentSession, Sessions
from .shape import Shape
from .tokens import Tokens
from .transport import Post, Transport


class SessionOverError(Exception):
    """The payment session has reached a terminal state already; `late=True` insists."""


class Gateway:
    """Be Spayon, all but the HTTP."""

    #: The base URL of the imitated API, without a slash at the end.
    url: str
    #: Names beside those of this machine under which its pages may be opened.
    hosts: frozenset[str] = frozenset()
    #: What the last command has come to, to be shown once on the next page.
    notice: str = ""

    def __init__(
        self,
        *,
        client_id: str = "simulator-client",
        client_secret: str = "simulator-secret",  # noqa: S107 - the same for everybody, by design
        callback_secret: str = "simulator-callback-secret",  # noqa: S107  known to everybody
        old_callback_secret: str = "simulator-old-callback-secret",  # noqa: S107  known to everybody
        time_scale: float = 1.0,
        seed: int | None = None,
        transport: Transport | None = None,
        shape: Mapping[str, object] | None = None,
        verify: bool = True,
    ) -> None:
        self.client_id = client_id
        self.client_secret = client_secret
        self.callback_secret = callback_secret
        self.old_callback_secret = old_callback_secret
        self.seed = seed
        self.panel = Panel()
        self.shape = Shape()
        self.shape.change(**shape or {})
        self._first_shape = asdict(self.shape)
        self.clock = Clock(scale=time_scale)
        self.faults = Faults(seed=seed)
        self.tokens = Tokens(seed=seed)
        self.sessions = Sessions(seed=seed)
        self.requests = RequestLog(
            lambda: (self.client_secret, self.callback_secret, self.old_callback_secret)
        )
        self.courier = Courier(
            self.clock,
            self.faults,
            self.shape,
            transport or Post(lambda: self.shape.patience, verify=verify),
            lambda: self.callback_secret,
        )
        #: How often everything was forgotten.
        self.clears = 0
        #: Set when the simulator stops, to wake what waits for the sake of a fault.
        self.stopping = threading.Event()

    @property
    def deliveries(self) -> Deliveries:
        """Return the callbacks that were made, oldest first."""
        return self.courier.deliveries

    def create(self, creation: Creation) -> PaymentSession:
        """Make the payment session that a shop has asked for."""
        now = self.clock.now()
        session = self.sessions.create(creation, now, lifetime=self.shape.session_lifetime)
        self._watch(session)
        if creation.unknown_fields:
            session.note(now, f"Fields that nobody knows: {', '.join(creation.unknown_fields)}")

        return session

    def resume(self, session: PaymentSession) -> None:
        """Take *session* over from an earlier life."""
        with self.sessions.lock:
            self.sessions.keep(session)

        if not session.over:
            self._watch(session)

    def find(self, session_id: str) -> PaymentSession | None:
        """Return the session as it stands at this moment, `None` if there is none of that id."""
        session = self.sessions.get(session_id)
        if session is not None:
            self._expire_in_time(session)

        return session

    def card(self, name: str) -> Card:
        """Return the test card of that key (`approved`) or decline code (`05`)."""
        return next(card for card in CARDS if name in {card.key, *card.declines})

    def attempt(self, session_id: str, card: Card) -> str | None:
        """Try *card* as the payer does; return the decline code, `None` once it is paid.

        After a decline the session is still payable, unless `shape.fails` says otherwise; and
        `shape.payer_returns` says whether a payment waits for the first attempt to tell the shop.
        """
        with self.sessions.lock:
            session = self._payable(session_id, late=False)
            before = session.attempts.get(card.key, 0)
            session.attempts[card.key] = before + 1
            code = card.outcome(before)
            if code is not None:
                self.sessions.decline(session, code, REASONS[code], self.clock.now())

        if code is None:
            self.pay(session_id, wait=self.shape.payer_returns == "after the callback")
        elif self.shape.fails == "at the first decline":
            self.abandon(session_id, wait=False)

        return code

    def pay(self, session_id: str, *, late: bool = False, wait: bool = True) -> Delivery | None:
        """Have the session paid; return the callback, having waited for its first attempt.

        *late* pays one that has failed or expired already, as a slow bank may.
        """
        return self._finish(session_id, "paid", late=late, wait=wait)

    def decline(
        self, session_id: str, code: str = "05", *, late: bool = False, wait: bool = True
    ) -> Delivery | None:
        """Have one more attempt declined with *code*, after which the payer gives up."""
        with self.sessions.lock:
            session = self._payable(session_id, late=late)
            self.sessions.decline(session, code, REASONS.get(code, "Declined"), self.clock.now())

        return self._finish(session_id, "failed", late=late, wait=wait)

    def abandon(self, session_id: str, *, wait: bool = True) -> Delivery | None:
        """Have the payer give up: the session fails with the declines it has so far."""
        return self._finish(session_id, "failed", late=False, wait=wait)

    def expire(self, session_id: str, *, wait: bool = True) -> Delivery | None:
        """Have the session's 15 minutes be over now."""
        return self._finish(session_id, "expired", late=False, wait=wait)

    @property
    def version(self) -> str:
        """Return a text that is another one after anything has happened."""
        counts = (
            self.sessions.changes,
            self.requests.total,
            self.deliveries.changes,
            self.faults.changes,
            self.clock.jumps,
            len(self.courier.held),
            int(self.courier.holding),
            self.tokens.changes,
            self.clears,
            *astuple(self.shape),
        )
        return ".".join(map(str, counts))

    def deliver(
        self,
        session_id: str,
        *,
        times: int = 1,
        concurrently: bool = False,
        secret: str | None = None,
        signed: bool = True,
        damaged: bool = False,
        **changes: Any,
    ) -> list[Delivery]:
        """Deliver the session's report once more, or *times* more; return what came of each.

        Each is one attempt, whatever is held. *changes* go into the report before it is signed
        (`status="failed"`, `price="1"`); *damaged* changes a byte after that; *secret* signs in
        place of the callback secret, and *signed* off leaves the signature out.
        """
        session = self.sessions[session_id]
        origin = f"{times} at once" if times > 1 and concurrently else "by hand"
        if damaged or not signed or secret not in {None, self.callback_secret}:
            origin = "forged"
        elif changes:
            named = {"price": "price changed", "status": "older status"}
            origin = named.get(",".join(changes), "changed")

        written = [
            self.courier.writer.write(
                session, secret=secret, signed=signed, damaged=damaged, origin=origin, **changes
            )
            for _ in range(times)
        ]
        deliveries = [delivery for delivery in written if delivery is not None]
        (self.courier.at_once if concurrently else self.courier.in_turn)(deliveries)
        return deliveries

    def send(self, number: int, *, body: bytes | None = None, signature: str = "right") -> Delivery:
        """Send the callback with *number* once more, with another *body* or *signature* if given.

        *signature* is `right`, `old` (by the old secret), `none` or `other` (of other bytes).
        """
        earlier = self.deliveries.find(number)
        if earlier is None:
            raise KeyError(number)

        delivery = self.courier.writer.rewrite(
            earlier, body=body, signature=signature, old_secret=self.old_callback_secret
        )
        self.courier.attempt(delivery)
        return delivery

    def hold_callbacks(self) -> None:
        """Hold every callback back from now on, until `release`."""
        self.courier.holding = True

    def release(self, order: str = "made", *, wait: bool = True) -> list[Delivery]:
        """Send on what was held: in the order `made`, `reversed` or `shuffled`."""
        released = self.courier.release(order, self.seed)
        if wait:
            for delivery in released:
                delivery.wait()

        return released

    def clear(self) -> None:
        """Start afresh, as if the simulator had just been started.

        All is forgotten and disarmed; clock, speed, shape and what a seed makes begin anew.
        Credentials and what stands in the panel stay.
        """
        self.clock.reset()
        self.shape.change(**self._first_shape)
        for part in (self.courier, self.sessions, self.requests, self.faults, self.tokens):
            part.reset()

        self.clears += 1

    def fault(self, kind: str, **options: Any) -> Fault:
        """Arm a fault (`faults.KINDS`): `fault("error", on="tokens", code=503, times=2)`."""
        return self.faults.arm(kind, **options)

    def settle(self, timeout: float = 15.0) -> bool:
        """Wait until no callback is under way or due; return True if that came within *timeout*."""
        return self.clock.settle(timeout)

    def _payable(self, session_id: str, *, late: bool) -> PaymentSession:
        session = self.sessions[session_id]
        self._expire_in_time(session)
        if session.status == "paid" or (session.over and not late):
            raise SessionOverError(f"the payment session {session_id} is {session.status} already")

        return session

    def _watch(self, session: PaymentSession) -> None:
        self.clock.at(session.expires_at, lambda: self._expire_in_time(session))

    def _expire_in_time(self, session: PaymentSession) -> None:
        with self.sessions.lock:
            known = self.sessions.get(session.id) is session
            if not known or session.over or self.clock.now() < session.expires_at:
                return

            self.sessions.finish(session, "expired", self.clock.now())

        self._report(session, wait=False)

    def _finish(self, session_id: str, status: str, *, late: bool, wait: bool) -> Delivery | None:
        with self.sessions.lock:
            session = self._payable(session_id, late=late)
            self.sessions.finish(session, status, self.clock.now())

        return self._report(session, wait=wait)

    def _report(self, session: PaymentSession, *, wait: bool) -> Delivery | None:
        if self.faults.strike("callback_unknown_status", order=session.order_id):
            odd = self.courier.writer.write(session, status=UNKNOWN_STATUS, origin="unknown status")
            if odd is not None and self.courier.dispatch(odd):
                odd.wait()

        delivery = self.courier.writer.write(session, allowed=int(self.shape.attempts))
        if delivery is not None and self.courier.dispatch(delivery) and wait:
            delivery.wait()

        return delivery
