"""Faults: what can be made to go wrong, on demand and repeatably."""

import itertools
import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ENDPOINTS = ("tokens", "sessions", "status")
CODES = (400, 401, 403, 404, 429, 500, 502, 503)
RETRY_AFTER = ("seconds", "date", "none")
FORMS = ("list", "nulls", "nested")
ENDINGS = ("paid", "failed", "expired")

#: Fields of a fault that are one of a few values.
CHOICES: dict[str, tuple[object, ...]] = {
    "code": CODES, "status": ENDINGS, "retry_after": RETRY_AFTER, "form": FORMS
}  # fmt: skip

#: A status that Spayon's documentation does not know.
UNKNOWN_STATUS = "in_clearing"

#: Seconds that anything may be late.
LONGEST = 24 * 3600


@dataclass(frozen=True)
class Kind:
    """What a kind of fault does, which calls it is for (none: callbacks), which fields it reads."""

    text: str
    on: tuple[str, ...] = ENDPOINTS
    fields: tuple[str, ...] = ()


#: Every kind of fault. Those of a callback begin with `callback`.
KINDS = {
    "latency": Kind("the answer comes late, by so many seconds of real time", fields=("seconds",)),
    "error": Kind(
        "an error answer with a code, and nothing was done",
        fields=("code", "retry_after", "seconds"),
    ),
    "drop_before": Kind("the connection breaks before anything was done"),
    "drop_after": Kind("the work is done, and the connection breaks before the answer"),
    "truncated": Kind("the work is done, and the connection breaks in the middle of the answer"),
    "reset_reused": Kind(
        "a connection that was kept open is reset on its second request, and nothing was done"
    ),
    "trickle": Kind("the answer comes in small pieces, over so many seconds", fields=("seconds",)),
    "html": Kind("an HTML page with the code 200 in place of JSON, and nothing was done"),
    "bom": Kind("the work is done, and a byte order mark stands before the JSON"),
    "odd_json": Kind("the work is done, and the answer is JSON of an odd form", fields=("form",)),
    "expires_in_text": Kind("the expires_in of a token is text, not a number", on=("tokens",)),
    "token_dies_early": Kind(
        "a token is dead after so many seconds, whatever its expires_in says",
        on=("tokens",),
        fields=("seconds",),
    ),
    "old_tokens_die": Kind("a new token makes every older token unknown", on=("tokens",)),
    "unknown_status": Kind("the answer says a status that nobody knows", on=("status",)),
    "callback_lost": Kind("an attempt to deliver a callback never arrives", on=()),
    "callback_answer_lost": Kind(
        "a callback arrives, and the shop's answer to it is lost on the way back", on=()
    ),
    "callback_late": Kind(
        "a callback sets out so many seconds late, by the simulator's clock",
        on=(),
        fields=("seconds",),
    ),
    "callback_duplicated": Kind("a callback arrives twice at once", on=()),
    "callback_reordered": Kind("a callback arrives after the one that follows it", on=()),
    "callback_unknown_status": Kind(
        "before a callback comes another one, with a status that nobody knows", on=()
    ),
    "callback_before_answer": Kind(
        "the payment ends and its callback arrives before the create answer",
        on=("sessions",),
        fields=("status",),
    ),
}


@dataclass(frozen=True)
class Preset:
    """Faults that go together, under a name in words."""

    name: str
    text: str
    faults: tuple[Mapping[str, Any], ...]


PRESETS = {
    "down": Preset(
        "Spayon is down", "every call is answered 503", ({"kind": "error", "code": 503},)
    ),
    "unreachable": Preset(
        "Spayon cannot be reached",
        "every connection breaks before anything is done",
        ({"kind": "drop_before"},),
    ),
    "slow": Preset(
        "Slow: 15 s", "every answer comes 15 seconds late", ({"kind": "latency", "seconds": 15},)
    ),
    "answers_lost": Preset(
        "Answers lost",
        "every call is carried out, and its answer never arrives",
        ({"kind": "drop_after"},),
    ),
    "callbacks_lost": Preset(
        "Callbacks lost", "no callback ever arrives", ({"kind": "callback_lost"},)
    ),
    "callbacks_twice": Preset(
        "Every callback twice, reversed",
        "of two callbacks the second arrives first, and each arrives twice",
        ({"kind": "callback_duplicated"}, {"kind": "callback_reordered"}),
    ),
}


@dataclass
class Fault:
    """A fault that strikes *times* calls (`None`: all) after *skip* others, with some *chance*.

    With an *order* it strikes only what is about that order of the shop.
    """

    number: int
    kind: str
    on: str | None = None
    times: int | None = 1
    skip: int = 0
    chance: float = 1.0
    seconds: float = 0.0
    code: int = 503
    status: str = "paid"
    order: str | None = None
    retry_after: str = "seconds"
    form: str = "list"
    hits: int = 0
    luck: random.Random = field(default_factory=random.Random, repr=False)

    @property
    def spent(self) -> bool:
        """Return True if the fault will not strike again."""
        return self.times is not None and self.hits >= self.times

    def strikes(self, kind: str, endpoint: str | None, order: str | None) -> bool:
        """Return True if the fault strikes this call of *endpoint*, and count the hit."""
        if self.kind != kind or self.spent or self.on not in {None, endpoint}:
            return False

        if self.order not in {None, order}:
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
        order: str | None = None,
        retry_after: str = "seconds",
        form: str = "list",
    ) -> Fault:
        """Arm a fault of *kind*; a `ValueError` says what is wrong with it.

        *seconds*, *code*, *status*, *retry_after* and *form* count for the kinds that name them.
        """
        if kind not in KINDS:
            raise ValueError(f"there is no fault {kind!r}; there are {', '.join(KINDS)}")

        if on is not None:
            _one_of("on", on, KINDS[kind].on)

        for name, value, allowed in (
            ("code", code, CODES),
            ("status", status, ENDINGS),
            ("retry_after", retry_after, RETRY_AFTER),
            ("form", form, FORMS),
        ):
            _one_of(name, value, allowed)

        if not 0 < chance <= 1:
            raise ValueError("chance must be above 0 and at most 1")

        if (times is not None and times < 1) or skip < 0 or not 0 <= seconds <= LONGEST:
            raise ValueError(f"times must be at least 1, skip at least 0, seconds 0 to {LONGEST}")

        if order is not None and not isinstance(order, str):
            raise ValueError("order must be text")

        with self._lock:
            number = next(self._numbers)
            luck = random.Random(None if self._seed is None else f"{self._seed}/{number}")  # noqa: S311  repeatable, no secret
            fault = Fault(
                number, kind, on, times, skip, chance, seconds, code, status, order, retry_after,
                form, luck=luck,
            )  # fmt: skip
            self._armed.append(fault)
            self.changes += 1

        return fault

    def arm_preset(self, name: str, *, order: str | None = None) -> list[Fault]:
        """Arm all faults of a preset, for good; a `ValueError` names the presets there are."""
        _one_of("preset", name, tuple(PRESETS))
        return [
            self.arm(**{**each, "times": None, "order": order}) for each in PRESETS[name].faults
        ]

    def strike(
        self, kind: str, endpoint: str | None = None, *, order: str | None = None
    ) -> Fault | None:
        """Return the armed fault of *kind* that strikes this call of *endpoint*, if one does.

        *order* is the order of the shop that the call or the callback is about, if known.
        """
        with self._lock:
            return next(
                (fault for fault in self._armed if fault.strikes(kind, endpoint, order)), None
            )

    def clear(self, number: int | None = None) -> None:
        """Disarm the fault with *number*, or all of them."""
        with self._lock:
            self._armed = [fault for fault in self._armed if number not in {None, fault.number}]
            self.changes += 1

    def reset(self) -> None:
        """Disarm all faults, and count anew: by its number and the seed a fault has its chances."""
        self.clear()
        self._numbers = itertools.count(1)


def _one_of(name: str, value: object, allowed: tuple[object, ...]) -> None:
    if value not in allowed:
        listed = ", ".join(map(str, allowed)) or "left out for a callback"
        raise ValueError(f"{name} must be one of {listed}, not {value!r}")
