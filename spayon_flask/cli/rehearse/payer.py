"""The steps of a rehearsal that a person takes part in: pay, be declined, go back."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from functools import partial
from typing import Any
from typing import Protocol

from ...rehearsals import Reply
from .receivers import Receivers
from .receivers import body_of
from .receivers import parameter_with
from .steps import Facts


#: Seconds that a person has for each step, and Spayon for the callback after it.
PATIENCE = 15 * 60.0

#: Seconds to wait for a payer's way back, and for the second of callback and payer.
_SOON = 60.0

OVER = ("paid", "failed", "expired")

Body = Callable[[Mapping[str, str]], Mapping[str, Any]]


class Person(Protocol):
    """Whoever sits at the terminal."""

    def do(self, what: str, url: str) -> None:
        """Ask the person to do *what* at *url*, and return when the person says so."""


class Payer:
    """Three sessions that *person* opens; what they lead to comes to *receivers*.

    *body* makes the body of a creation from the URLs of a receiver. *once* is given the name of a
    part of a step and asks for it, unless that was done before the rehearsal was stopped.
    """

    def __init__(
        self,
        receivers: Receivers,
        person: Person,
        body: Body,
        once: Callable[[str, Callable[[], Facts]], Facts],
    ) -> None:
        self._receivers = receivers
        self._person = person
        self._body = body
        self._once = once

    def begin(self, replies: Sequence[Reply]) -> Facts:
        """Create the session of one step, whose callbacks are answered with *replies*."""
        return self._receivers.begin(self._body, replies)

    def pay(self, session: Facts) -> Facts:
        """Have the session paid, unless it is paid already."""
        if not self._receivers.came(session, "callback"):
            told, _ = self._receivers.status(session)

            if told["status"] not in OVER:
                self._person.do("Open this address and pay with a card that works.", _url(session))

        callbacks = self._receivers.wait(session, "callback", PATIENCE)
        back = self._receivers.wait(session, "return", _SOON)
        told, answer = self._receivers.status(session)
        found: Facts = {"status": told["status"]}

        if callbacks:
            first = callbacks[0]
            found["callback"] = self._receivers.callback_facts(first, session["order_id"])
            found["same_as_status"] = body_of(first) == dict(answer)

        if back:
            found["return_parameter"] = parameter_with(back[0], session["session_id"])
            found["return_method"] = back[0].method

        if callbacks and back:
            found["payer_first"] = back[0].at < callbacks[0].at

        return found

    def decline(self, session: Facts) -> Facts:
        """Have a card declined, and then the payment given up."""
        found = dict(self._once("declined", partial(self._declined, session)))
        told, _ = self._receivers.status(session)

        if told["status"] not in OVER:
            self._person.do(
                "Now give up on the same page: cancel, or close it without paying.", _url(session)
            )

        for callback in self._receivers.wait(session, "callback", PATIENCE)[:1]:
            found["callback"] = self._receivers.callback_facts(callback, session["order_id"])

        return found

    def _declined(self, session: Facts) -> Facts:
        """Have a card declined; return how the session stands after that."""
        self._person.do(
            "Open this address, pay with a card that is declined, and stay on the page.",
            _url(session),
        )
        told, _ = self._receivers.status(session)
        return {"after_decline": told["status"]}

    def back(self, session: Facts) -> Facts:
        """Have the payer click back."""
        if not self._receivers.came(session, "cancel"):
            self._person.do('Open this address and click "back", without paying.', _url(session))

        came = self._receivers.wait(session, "cancel", _SOON)

        if not came:
            return {}

        told, _ = self._receivers.status(session)
        return {
            "cancel_parameter": parameter_with(came[0], session["session_id"]),
            "status": told["status"],
        }

    def give_up(self, session: Facts) -> Facts:
        """Have the session given up, unless it is over: its callback is waited for later."""
        told, _ = self._receivers.status(session)

        if told["status"] not in OVER:
            self._person.do(
                "Open this address once more and give up: cancel, without paying.", _url(session)
            )

        return {}


def _url(session: Facts) -> str:
    return str(session["session_url"])
