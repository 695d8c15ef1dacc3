"""Redelivery: how often and how far apart Spayon tries, and how long it waits for an answer."""

from __future__ import annotations

from datetime import datetime
from datetime import timedelta
from itertools import pairwise
from statistics import median

from ...rehearsals import Reply
from .payer import OVER
from .payer import Body
from .receivers import Receivers
from .steps import Facts


#: Seconds that one callback is not answered. Spayon documents no time-out.
HANG = 5.0

#: Seconds between two looks at a session that is to expire, and at what has come.
_LOOK = 10.0

#: Seconds after which a session that has not expired is taken to live on.
_LONGEST_LIFE = 40 * 60.0

#: Seconds without any attempt after which there will be none.
_QUIET = 11 * 60.0


class Redelivery:
    """Three sessions that nobody pays: they expire, and Spayon says so, to *receivers*.

    One callback is answered 500 each time, one 202, and one after *hang* seconds.
    """

    def __init__(self, receivers: Receivers, body: Body, hang: float = HANG) -> None:
        self._receivers = receivers
        self._body = body
        self._hang = hang

    def begin(self) -> Facts:
        """Create the sessions."""
        return {
            "refusing": self._receivers.begin(self._body, [Reply(500)]),
            "accepting": self._receivers.begin(self._body, [Reply(202)]),
            "slow": self._receivers.begin(self._body, [Reply(200, self._hang), Reply(200)]),
        }

    def finish(self, sessions: Facts) -> Facts:
        """Wait until they have expired and all is quiet; return what has come."""
        refusing = sessions["refusing"]
        began = datetime.fromisoformat(refusing["at"])
        found: Facts = {}

        while not self._over(refusing) and self._since(began) < _LONGEST_LIFE:
            self._receivers.sleep(_LOOK)

        told, _ = self._receivers.status(refusing)

        if told["status"] in OVER:
            first = self._receivers.came(refusing, "callback")
            lived = first[0].at - began if first else timedelta(seconds=self._since(began))
            found["lifetime"] = _rounded(lived.total_seconds(), 30)

        quiet_since = self._receivers.clock()
        count = -1

        while self._since(quiet_since) < _QUIET:
            now = sum(len(self._receivers.came(each, "callback")) for each in sessions.values())

            if now != count:
                count, quiet_since = now, self._receivers.clock()

            self._receivers.sleep(_LOOK)

        attempts = [event.at for event in self._receivers.came(refusing, "callback")]

        if attempts:
            gaps = [(b - a).total_seconds() for a, b in pairwise(attempts)]
            found["attempts"] = len(attempts)
            found["spacing"] = _rounded(median(gaps), 10) if gaps else None

        if accepted := self._receivers.came(sessions["accepting"], "callback"):
            found["accepted_attempts"] = len(accepted)

        if slow := self._receivers.came(sessions["slow"], "callback"):
            found["slow_attempts"] = len(slow)

        return found

    def _over(self, session: Facts) -> bool:
        """Return True if *session* has ended; its callback tells without a call."""
        if self._receivers.came(session, "callback"):
            return True

        since = self._since(datetime.fromisoformat(session["at"]))

        # A look of its own every minute: the callback may never come.
        return since % 60 < _LOOK and self._receivers.status(session)[0]["status"] in OVER

    def _since(self, moment: datetime) -> float:
        return (self._receivers.clock() - moment).total_seconds()


def _rounded(seconds: float, to: int) -> int:
    return int(to * round(seconds / to))
