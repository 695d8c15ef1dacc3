"""What can be made to go wrong, on demand and repeatably."""

import itertools
import random
import threading
from dataclasses import dataclass
from dataclasses import field


#: Every kind of fault, with what it does. Those of a callback begin with `callback`.
KINDS = {
    "latency": "the answer comes late, by so many seconds of real time",
    "error": "an error answer (429, 500 or 503), and nothing was done",
    "drop_before": "the connection breaks before anything was done",
    "drop_after": "the work is done, and the connection breaks before the answer",
    "truncated": "the work is done, and the connection breaks in the middle of the answer",
    "html": "an HTML page with the code 200 in place of JSON, and nothing was done",
    "token_dies_early": "a token is dead after so many seconds, whatever its expires_in says",
    "callback_lost": "an attempt to deliver a callback never arrives",
    "callback_late": "a callback sets out so many seconds late, by the simulator's clock",
    "callback_duplicated": "a callback arrives twice at once",
    "callback_reordered": "a callback arrives after the one that follows it",
    "callback_before_answer": "the payment ends and its callback arrives before the create answer",
}

ENDPOINTS = ("tokens", "sessions", "status")
CODES = (429, 500, 503)

#: Seconds that anything may be late.
LONGEST = 24 * 3600


@dataclass
class Fault:
    """A fault that strikes *times* calls (`None`: all) after *skip* others, with some *chance*."""

    number: int
    kind: str
    on: str | None = None
    times: int | None = 1
    skip: int = 0
    chance: float = 1.0
    seconds: float = 0.0
    code: int = 503
    status: str = "paid"
    hits: int = 0
    luck: random.Random = field(default_factory=random.Random, repr=False)

    @property
    def spent(self) -> bool:
        """Return True if the fault will not strike again."""
        return self.times is not None and self.hits >= self.times

    def strikes(self, kind: str, endpoint: str | None) -> bool:
        """Return True if the fault strikes this call of *endpoint*, and count the hit."""
        if self.kind != kind or self.spent or self.on not in {None, endpoint}:
            return False

        if self.skip:
            self.skip -= 1
            return False

        if self.chance < 1 and self.luck.random() >= self.chance:
            return False

        self.hits += 1
        return True


class Faults:
    """Hold the armed faults; with the same *seed* the same calls are struck again."""

    def __init__(self, *, seed: int | None = None) -> None:
        self._seed = seed
        self._numbers = itertools.count(1)
        self._armed: list[Fault] = []
        self._lock = threading.Lock()
        #: Another number after anything has changed here.
        self.changes = 0

    def __iter__(self) -> "itertools.chain[Fault]":
        with self._lock:
            return itertools.chain(list(self._armed))

    def arm(
        self,
        kind: str,
        *,
        on: str | None = None,
        times: int | None = 1,
        skip: int = 0,
        chance: float = 1.0,
        seconds: float = 0.0,
        code: int = 503,
        status: str = "paid",
    ) -> Fault:
        """Arm a fault of *kind*; a `ValueError` says what is wrong with it."""
        if kind not in KINDS:
            raise ValueError(f"there is no fault {kind!r}; there are {', '.join(KINDS)}")

        if on is not None and on not in ENDPOINTS:
            raise ValueError(f"on must be one of {', '.join(ENDPOINTS)}, not {on!r}")

        if code not in CODES:
            raise ValueError(f"code must be one of {', '.join(map(str, CODES))}, not {code!r}")

        if not 0 < chance <= 1:
            raise ValueError("chance must be above 0 and at most 1")

        if (times is not None and times < 1) or skip < 0 or not 0 <= seconds <= LONGEST:
            raise ValueError(f"times must be at least 1, skip at least 0, seconds 0 to {LONGEST}")

        if status not in {"paid", "failed", "expired"}:
            raise ValueError("status must be paid, failed or expired")

        with self._lock:
            number = next(self._numbers)
            luck = random.Random(None if self._seed is None else f"{self._seed}/{number}")  # noqa: S311  repeatable, no secret
            fault = Fault(number, kind, on, times, skip, chance, seconds, code, status, luck=luck)
            self._armed.append(fault)
            self.changes += 1

        return fault

    def strike(self, kind: str, endpoint: str | None = None) -> Fault | None:
        """Return the armed fault of *kind* that strikes this call of *endpoint*, if one does."""
        with self._lock:
            return next((fault for fault in self._armed if fault.strikes(kind, endpoint)), None)

    def clear(self, number: int | None = None) -> None:
        """Disarm the fault with *number*, or all of them."""
        with self._lock:
            self._armed = [fault for fault in self._armed if number not in {None, fault.number}]
            self.changes += 1
