"""Redelivery: how often and how far apart Spayon tries, and how long it waits for an answer."""

from __future__ import annotations

from collections.abc import Mapping
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

#: Seconds without any attempt after which there will be none. Once so many attempts were seen as
#: are documented, it is enough to wait a little longer than for the last of them.
_QUIET = 11 * 60.0
_ATTEMPTS = 3


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
