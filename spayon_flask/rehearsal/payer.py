"""Payer: the steps for which a person pays, is declined and clicks back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from ..domain.orders import Order
from ..errors import GatewayError, GatewayUnavailableError
from .alone import UNUSABLE_URL
from .notes import Notes
from .receiver import Came, Receiver
from .shop import Attempt, Outcome, Shop, on_callback, on_report, signed_how
from .wire import StoppedError, Wire

OVER = ("paid", "failed", "expired")

#: Seconds after Enter until the status must be known, and for what follows it.
PATIENCE, SOON = 180.0, 30.0

#: Seconds between two looks at what has come, and between two questions for the status.
_LOOK, _ASK = 1.0, 5.0

_DECLINE_KEYS = {"responseCode", "responseReasonEn", "transactionId"}


class Person(Protocol):
    """Whoever sits at the terminal."""

    def do(self, what: str, url: str) -> bool:
        """Have the person do *what* at *url*; return False if the person leaves it out."""


class Payer:
    """Three sessions that *person* opens; what they lead to comes to *receiver*."""

    def __init__(
        self,
        wire: Wire,
        notes: Notes,
        shop: Shop,
        receiver: Receiver,
        person: Person,
        *,
        clock: Callable[[], datetime],
        sleep: Callable[[float], object],
    ) -> None:
        self._wire = wire
        self._notes = notes
        self._shop = shop
        self._receiver = receiver
        self._person = person
        self._clock = clock
        self._sleep = sleep
        #: What has come, for the report: each callback with what a shop would do with it.
        self.came: list[tuple[Came, Outcome]] = []

    def walk(self) -> None:
        """Have one session paid, one declined, and one left by a click on "back"."""
        take = self._notes.take

        if self._notes["creation-accepted"].seen == UNUSABLE_URL:
            self._notes.halted = "no payer can be sent to that session_url"

        take(
            "have a session paid",
            (
                "callback-understood",
                "payment-understood",
                "signature-header",
                "signature-form",
                "content-type",
                "callback-equals-status",
                "return-parameter",
            ),
            self._pay,
        )
        take(
            "have a card declined",
            ("session-fails", "failure-understood", "decline-reasons"),
            self._decline,
        )
        take(
            "have a payer click back",
            ("cancel-url-carries-session-id", "cancel-keeps-session"),
            self._back,
        )

    def _pay(self) -> None:
        key, attempt, url = self._begin()
        skipped = "nobody has paid"

        if not self._person.do("Open this address and pay with a card that works.", url):
            self._notes.skip(skipped, "callback-understood", "payment-understood")
            return

        outcomes = self._await_end(key, attempt, "return")

        # Nobody can tell a person who has not paid from a Spayon that does not say so.
        if not outcomes and self._status(attempt) == "pending":
            raise StoppedError("Spayon says that nobody has paid: run it again, and pay")

        self._note_callbacks(key, outcomes)
        self._note_status(attempt)
        back = self._receiver.came(key, "return")

        if back:
            self._notes.found("return-parameter", parameter_with(back[0], attempt.session_id))
        else:
            self._notes.skip("nobody came back to the return URL", "return-parameter")

    def _decline(self) -> None:
        key, attempt, url = self._begin()
        what = "Open this address, pay with a card that is declined, and stay on the page."

        if not self._person.do(what, url):
            self._notes.skip("no card was declined", "session-fails", "failure-understood")
            self._notes.skip("no card was declined", "decline-reasons")
            return

        fails = self._status(attempt) in OVER
        self._notes.found("session-fails", "at the first decline" if fails else "when given up")

        if not fails:
            what = "Now give up on the same page: cancel, or close it without paying."
            self._person.do(what, url)

        outcomes = self._await_end(key, attempt, "callback")
        why = "the session does not end when the payer gives up: its callback comes later"

        if outcomes:
            self._notes.found("failure-understood", outcomes[-1].status, outcomes[-1].in_words)
            reasons = self._last_data(key).get("declineReasons")
            first = reasons[0] if isinstance(reasons, list) and reasons else None
            told = isinstance(first, dict) and {*first} >= _DECLINE_KEYS
            self._notes.found("decline-reasons", told)
        elif self._status(attempt) in OVER:
            self._notes.found("failure-understood", "no callback came")

        self._notes.skip(why, "failure-understood", "decline-reasons")

    def _back(self) -> None:
        key, attempt, url = self._begin()

        if self._person.do('Open this address and click "back", without paying.', url):
            self._wait(lambda: bool(self._receiver.came(key, "cancel")), SOON)

        if came := self._receiver.came(key, "cancel"):
            found = self._notes.found
            found("cancel-url-carries-session-id", parameter_with(came[0], attempt.session_id))
            found("cancel-keeps-session", self._status(attempt) not in OVER)

        ids = ("cancel-url-carries-session-id", "cancel-keeps-session")
        self._notes.skip("nobody came to the cancel URL", *ids)

    def _begin(self) -> tuple[str, Attempt, str]:
        key = self._receiver.open()
        order: Order = self._shop.order()
        session_id, url = self._shop.create(order, self._receiver.links(key))
        return key, self._shop.attempt(order, session_id), url

    def _await_end(self, key: str, attempt: Attempt, what: str) -> list[Outcome]:
        """Wait until the session is over, and then for its callback and for *what*; a little."""
        until = self._clock() + timedelta(seconds=PATIENCE)
        self._notes.tell(f"  waiting for the callback and the status, until {until:%H:%M:%S} UTC")
        status = self._status(attempt)

        while status not in OVER and self._clock() < until:
            if callbacks := self._receiver.came(key, "callback"):
                # It may tell of a status on the way to the end, or of one that nobody knows.
                until = min(until, callbacks[0].at + timedelta(seconds=SOON))

            number = len(callbacks)
            self._wait(lambda: len(self._receiver.came(key, "callback")) > number, _ASK)  # noqa: B023  called at once
            status = self._status(attempt)

        self._notes.tell(f"  the status is {status}")

        if status in OVER:
            self._wait(
                lambda: all(self._receiver.came(key, each) for each in ("callback", what)), SOON
            )

        outcomes = []

        for came in self._receiver.came(key, "callback"):
            outcome = on_callback(came, attempt, self._wire.settings)
            attempt = attempt._replace(status=outcome.status)
            outcomes.append(outcome)
            self.came.append((came, outcome))

        return outcomes

    def _wait(self, has_come: Callable[[], bool], seconds: float) -> bool:
        until = self._clock() + timedelta(seconds=seconds)

        while not has_come() and self._clock() < until:
            self._sleep(_LOOK)

        return has_come()

    def _status(self, attempt: Attempt) -> str:
        """Return how a session stands, "" if Spayon's answer does not say."""
        call = self._wire.status(attempt.session_id)
        return str(call.data.get("status") or "")

    def _note_status(self, attempt: Attempt) -> None:
        try:
            report = self._wire.client.get_session(attempt.session_id)

        except GatewayUnavailableError:
            raise

        except GatewayError as error:
            self._notes.found("payment-understood", "unreadable", str(error))
            return

        outcome = on_report(report, attempt)
        self._notes.found("payment-understood", outcome.status, outcome.in_words)

    def _note_callbacks(self, key: str, outcomes: list[Outcome]) -> None:
        came = self._receiver.came(key, "callback")

        if not came:
            self._notes.found("callback-understood", f"no callback came within {SOON:g} s")
            self._notes.skip("no callback came", "signature-header", "signature-form")
            self._notes.skip("no callback came", "content-type", "callback-equals-status")
            return

        last, outcome = came[-1], outcomes[-1]
        self._notes.found("callback-understood", outcome.status, outcome.in_words)
        header, form = signed_how(last, self._wire.settings)
        json_type = last.headers.get("content-type", "").startswith("application/json")

        if header:
            found = "X-Signature" if header == "x-signature" else header
            self._notes.found("signature-header", found)

        self._notes.skip("no header signs the callback", "signature-header")
        self._notes.found("signature-form", form)
        self._notes.found("content-type", json_type)
        told = self._last_data(key)
        self._notes.found("callback-equals-status", told == self._wire.calls[-1].data)

    def _last_data(self, key: str) -> dict[str, object]:
        """Return the JSON object of the last callback, as far as it is one."""
        return self._receiver.came(key, "callback")[-1].data


def parameter_with(came: Came, session_id: str) -> str:
    """Return the name of the query parameter that is *session_id*, "" if none is."""
    return next((name for name, value in came.parameters if value == session_id), "")
