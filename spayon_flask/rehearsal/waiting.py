"""Waiting: what only time shows, by sessions that expire and callbacks that are refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

from .notes import Notes
from .payer import OVER
from .receiver import Came, Receiver, Reply
from .shop import Attempt, Shop, on_callback
from .wire import Wire

#: Seconds that one callback is not answered. Spayon documents no time-out.
HANG = 5.0

#: Minutes that it takes by the documentation: 15 until the sessions expire, 10 for three attempts,
#: 7 to see that there is no fourth.
MINUTES = 32

#: Seconds between two looks, and between two progress lines.
_LOOK, _TELL = 10.0, 60.0

#: Seconds after which a session that has not expired is taken to live on.
_LONGEST_LIFE = 40 * 60.0

#: Seconds without any attempt after which there will be none. Once so many attempts were seen as
#: are documented, it is enough to wait a little longer than for the last of them.
_QUIET, _ATTEMPTS = 11 * 60.0, 3

_IDS = (
    "session-lifetime",
    "expiry-understood",
    "redelivery-count",
    "redelivery-spacing",
    "delivered-by",
    "callback-timeout",
)


class Waiting:
    """Three sessions that are left to expire; their callbacks are answered 500, 202, and late."""

    def __init__(
        self,
        wire: Wire,
        notes: Notes,
        shop: Shop,
        receiver: Receiver,
        *,
        clock: Callable[[], datetime],
        sleep: Callable[[float], object],
        hang: float = HANG,
    ) -> None:
        self._wire = wire
        self._notes = notes
        self._shop = shop
        self._receiver = receiver
        self._clock = clock
        self._sleep = sleep
        self._replies = {
            "refused": (Reply(500),),
            "accepted": (Reply(202),),
            "slow": (Reply(200, hang), Reply(200)),
        }
        self._keys: dict[str, str] = {}
        self._attempts: dict[str, Attempt] = {}
        self._began = clock()

    def begin(self) -> None:
        """Create the sessions: they expire while other things are tried."""
        self._notes.take("create three sessions that are left to expire", _IDS, self._begin)

    def finish(self) -> None:
        """Wait until they have expired, and no callback comes any more."""
        if len(self._keys) == len(self._replies):
            says = f"wait until sessions expire and callbacks end: about {MINUTES} minutes"
            self._notes.take(says, _IDS, self._finish)

    def _begin(self) -> None:
        for name, replies in self._replies.items():
            key = self._receiver.open(*replies)
            order = self._shop.order()
            session_id, _ = self._shop.create(order, self._receiver.links(key))
            self._keys[name] = key
            self._attempts[name] = self._shop.attempt(order, session_id)

        self._began = self._clock()

    def _finish(self) -> None:
        self._wait("a session to expire", self._began, lambda: _LONGEST_LIFE, self._is_over)
        first = self._came("refused")
        ended = first[0].at if first else self._clock()

        if first or self._is_over():
            lived = (ended - self._began).total_seconds()
            self._notes.found("session-lifetime", _rounded(lived, 30))

        self._wait("the last callback", ended, self._quiet, lambda: False)
        self._note_callbacks()
        self._notes.skip("no session has expired, or no callback came", *_IDS)

    def _note_callbacks(self) -> None:
        found = self._notes.found

        if refused := self._came("refused"):
            outcome = on_callback(refused[0], self._attempts["refused"], self._wire.settings)
            gaps = [(b.at - a.at).total_seconds() for a, b in pairwise(refused)]
            found("expiry-understood", outcome.status, outcome.in_words)
            found("redelivery-count", len(refused))

            if gaps:
                found("redelivery-spacing", _rounded(median(gaps), 10))

        if accepted := self._came("accepted"):
            found("delivered-by", "any 2xx" if len(accepted) == 1 else "200")

        if slow := self._came("slow"):
            found("callback-timeout", "at least 5 s" if len(slow) == 1 else "less than 5 s")

    def _wait(
        self,
        what: str,
        since: datetime,
        longest: Callable[[], float],
        is_over: Callable[[], bool],
    ) -> None:
        """Wait for *what*, which takes *longest* seconds at most, and tell of it now and then."""
        told = since - timedelta(seconds=_TELL)

        while not is_over():
            last = max([since, *(each.at for name in self._keys for each in self._came(name))])
            until = last + timedelta(seconds=longest())

            if self._clock() >= until:
                return

            if (self._clock() - told).total_seconds() >= _TELL:
                told = self._clock()
                number = sum(len(self._came(name)) for name in self._keys)
                self._notes.tell(
                    f"  waiting for {what}, until {until:%H:%M} UTC at the latest; "
                    f"callbacks so far: {number}"
                )

            self._sleep(_LOOK)

    def _quiet(self) -> float:
        """Return the seconds after which no more attempt is expected."""
        moments = [each.at for each in self._came("refused")]
        gaps = [(b - a).total_seconds() for a, b in pairwise(moments)]
        return 30 + 1.2 * max(gaps) if len(moments) >= _ATTEMPTS else _QUIET

    def _is_over(self) -> bool:
        """Return True if a session has ended; its callback tells without a call."""
        if self._came("refused"):
            return True

        # A look of its own every minute: the callback may never come.
        if (self._clock() - self._began).total_seconds() % _TELL >= _LOOK:
            return False

        call = self._wire.status(self._attempts["refused"].session_id)
        return call.data.get("status") in OVER

    def _came(self, name: str) -> list[Came]:
        return self._receiver.came(self._keys[name], "callback")


def _rounded(seconds: float, to: int) -> int:
    return int(to * round(seconds / to))
