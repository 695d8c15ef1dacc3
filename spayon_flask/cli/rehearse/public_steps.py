"""The steps of a rehearsal for which Spayon must reach the shop: by a payer, and by redelivery."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from datetime import datetime
from datetime import timedelta
from functools import partial
from itertools import pairwise
from statistics import median
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

#: Seconds that one callback is not answered. Spayon documents no time-out.
HANG = 5.0

#: Seconds between two looks at a session that is to expire, and at what has come.
_LOOK = 10.0

#: Seconds after which a session that has not expired is taken to live on.
_LONGEST_LIFE = 40 * 60.0

#: Seconds without any attempt after which there will be none. Once so many attempts were seen as
#: are documented, it is enough to wait a little longer than for the last of them.
_QUIET = 11 * 60.0

_ATTEMPTS = 3


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


class Redelivery:
    """Three sessions whose callbacks are refused on purpose; they come to *receivers*.

    One callback is answered 500 each time, one 202, and one after *hang* seconds. The sessions are
    those of a payer, beside one that is left to expire; or all three are left to expire.
    """

    def __init__(self, receivers: Receivers, body: Body, hang: float = HANG) -> None:
        self._receivers = receivers
        self._body = body
        #: How the callbacks of each session are answered.
        self.replies: Mapping[str, list[Reply]] = {
            "refusing": [Reply(500)],
            "accepting": [Reply(202)],
            "slow": [Reply(200, hang), Reply(200)],
        }

    def begin(self) -> Facts:
        """Create three sessions that are left to expire."""
        return {
            name: self._receivers.begin(self._body, replies)
            for name, replies in self.replies.items()
        }

    def begin_expiring(self) -> Facts:
        """Create one session that is left to expire, beside those of a payer."""
        return self._receivers.begin(self._body)

    def finish(self, sessions: Facts) -> Facts:
        """Wait until one has expired and all is quiet; return what has come."""
        refusing: Facts = sessions["refusing"]
        expiring: Facts = sessions.get("expiring", refusing)
        began = datetime.fromisoformat(expiring["at"])
        found: Facts = {}

        while not self._over(expiring) and self._since(began) < _LONGEST_LIFE:
            self._receivers.sleep(_LOOK)

        told, _ = self._receivers.status(expiring)
        first = self._receivers.came(expiring, "callback")
        lived = first[0].at - began if first else timedelta(seconds=self._since(began))

        if told["status"] in OVER:
            found["lifetime"] = _rounded(lived.total_seconds(), 30)

        refused = [sessions[name] for name in self.replies]

        while self._since(max(self._last(each, lived) for each in refused)) < self._quiet(refusing):
            self._receivers.sleep(_LOOK)

        attempts = [event.at for event in self._receivers.came(refusing, "callback")]

        if attempts:
            gaps = _gaps(attempts)
            found["attempts"] = len(attempts)
            found["spacing"] = _rounded(median(gaps), 10) if gaps else None

        if accepted := self._receivers.came(sessions["accepting"], "callback"):
            found["accepted_attempts"] = len(accepted)

        if slow := self._receivers.came(sessions["slow"], "callback"):
            found["slow_attempts"] = len(slow)

        return found

    def _last(self, session: Facts, lived: timedelta) -> datetime:
        """Return when the last callback of *session* came, or when the first one is to come."""
        came = self._receivers.came(session, "callback")
        return came[-1].at if came else datetime.fromisoformat(session["at"]) + lived

    def _quiet(self, refusing: Facts) -> float:
        """Return the seconds after which no more attempt is expected."""
        attempts = [event.at for event in self._receivers.came(refusing, "callback")]
        return 30 + 1.2 * max(_gaps(attempts)) if len(attempts) >= _ATTEMPTS else _QUIET

    def _over(self, session: Facts) -> bool:
        """Return True if *session* has ended; its callback tells without a call."""
        if self._receivers.came(session, "callback"):
            return True

        since = self._since(datetime.fromisoformat(session["at"]))

        # A look of its own every minute: the callback may never come.
        return since % 60 < _LOOK and self._receivers.status(session)[0]["status"] in OVER

    def _since(self, moment: datetime) -> float:
        return (self._receivers.clock() - moment).total_seconds()


def _gaps(moments: list[datetime]) -> list[float]:
    return [(b - a).total_seconds() for a, b in pairwise(moments)]


def _rounded(seconds: float, to: int) -> int:
    return int(to * round(seconds / to))
