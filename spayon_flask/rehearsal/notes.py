"""Notes: what a rehearsal has found out, entry by entry of the register."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import GatewayError
from .assumptions import REGISTER, Assumption, by_id
from .wire import StoppedError, Wire

#: Outcomes. `works`: not as assumed, but the package takes it as well, and there is nothing to do.
SAME, WORKS, DIFFERS, STOPPED, NOT_TRIED = "same", "works", "differs", "stopped", "not tried"

#: What must have been seen before anybody may say that every payment would work.
NEEDED = (
    "token-status-code",
    "creation-accepted",
    "report-understood",
    "callback-understood",
    "payment-understood",
    "return-parameter",
)

#: After so many calls in a row without a usable answer no more are made.
_PATIENCE = 3

#: What to do next, by the beginning of the answer that stopped a question.
_NEXT = {
    "HTTP 401": "compare CLIENT_ID and CLIENT_SECRET with the admin panel of the same environment",
    "HTTP 403": "compare CLIENT_ID and CLIENT_SECRET with the admin panel of the same environment",
    "HTTP 429": "Spayon asks to slow down: wait, and run the rehearsal again",
    "HTTP 4": "show this request and its answer to Spayon's support: a checkout sends the same",
    "HTTP 5": "Spayon has trouble: run the rehearsal again; if it stays, show this to its support",
    "HTTP ": "this is not the documented answer: check API_URL, then show it to Spayon's support",
    "no answer": "check API_URL and the way to it: a proxy, a firewall, TIMEOUT",
}


#: The keys that a report has by the documentation.
_KEYS = (
    "sessionId",
    "status",
    "productName",
    "price",
    "currency",
    "createdAt",
    "updatedAt",
    "orderId",
)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

#: What the writing of a report shows.
REPORT_IDS = (
    "fresh-status",
    "report-understood",
    "report-keys",
    "price-format",
    "price-type",
    "currency-case",
    "key-order",
    "order-id-echoed",
    "time-format",
)


@dataclass(frozen=True)
class Finding:
    """What became of one *assumption*; *why* says more, *calls* are the numbers of the calls."""

    assumption: Assumption
    outcome: str
    seen: Any = None
    why: str = ""
    calls: tuple[int, ...] = ()


class Notes:
    """Take steps and keep what they find; *tell* is told what is about to be done."""

    def __init__(self, wire: Wire, tell: Callable[[str], object]) -> None:
        self._wire = wire
        self._findings: dict[str, Finding] = {}
        self._step_began = 0
        self.tell = tell
        #: Why nothing more is asked, once that is so.
        self.halted = ""

    def __iter__(self) -> Iterator[Finding]:
        for each in REGISTER:
            yield self._findings.get(each.id) or Finding(each, NOT_TRIED, why=_untried(each))

    def __getitem__(self, id_: str) -> Finding:
        return next(each for each in self if each.assumption.id == id_)

    def found(self, id_: str, seen: Any, why: str = "", *, fine: bool = False) -> None:
        """Note what was *seen* of an entry, and *why* it differs; *fine* if payments work so."""
        assumption = by_id(id_)
        works = WORKS if fine or assumption.is_fine(seen) else DIFFERS
        outcome = SAME if seen == assumption.value else works
        self._note(assumption, outcome, seen, why)

    def skip(self, why: str, *ids: str) -> None:
        """Note why entries are not tried."""
        for id_ in ids:
            self._findings.setdefault(id_, Finding(by_id(id_), NOT_TRIED, why=why))

    def take(self, says: str, ids: tuple[str, ...], ask: Callable[[], None]) -> None:
        """Take one step, which finds out about *ids*; what stops it is noted for each of them."""
        if self.halted:
            self.skip(self.halted, *ids)
            return

        self.tell(says)
        self._step_began = len(self._wire.calls)

        try:
            ask()

        except KeyboardInterrupt:
            self.halted = "stopped by Ctrl-C"
            self._stop(ids, self.halted)

        except (StoppedError, GatewayError) as error:
            self._stop(ids, self._in_words(error))
            last = self._wire.calls[-_PATIENCE:]

            if len(last) == _PATIENCE and all(each.in_trouble for each in last):
                self.halted = f"Spayon gave no usable answer {_PATIENCE} times in a row"

    def _stop(self, ids: tuple[str, ...], why: str) -> None:
        self.tell(self._wire.clean(f"  stopped: {why}"))

        for id_ in ids:
            if id_ not in self._findings:
                self._note(by_id(id_), STOPPED, None, why)

    def _note(self, assumption: Assumption, outcome: str, seen: Any, why: str) -> None:
        calls = tuple(each.number for each in self._wire.calls[self._step_began :])
        self._findings[assumption.id] = Finding(
            assumption, outcome, seen, self._wire.clean(why), calls
        )

    def _in_words(self, error: Exception) -> str:
        answer = self._wire.calls[-1].answer if self._wire.calls else ""

        if isinstance(error, StoppedError) and str(error) != answer:
            return str(error)

        next_ = next((do for begin, do in _NEXT.items() if answer.startswith(begin)), "")
        said = "" if isinstance(error, StoppedError) else f"{error}. "
        return f"{said}Spayon's answer: {answer}. What to do: {next_}"


def _untried(assumption: Assumption) -> str:
    return assumption.why or f"run it with {assumption.step}"


def note_report(notes: Notes, data: Mapping[str, Any], order_id: str) -> None:
    """Note how a report is written."""
    missing = [key for key in _KEYS if key not in data]
    price, currency, created = data.get("price"), data.get("currency"), data.get("createdAt")
    notes.found("report-keys", ", ".join(missing) or "nothing is missing")
    notes.found("key-order", "status" if next(iter(data), "") == "status" else "session")

    if price is not None:
        notes.found("price-type", "text" if isinstance(price, str) else "number")
        notes.found("price-format", "padded" if "." in str(price) else "short")

    if isinstance(currency, str):
        notes.found("currency-case", "lower" if currency.islower() else "upper")

    if "orderId" in data:
        notes.found("order-id-echoed", str(data["orderId"]) == order_id)

    if created is not None:
        iso = isinstance(created, str) and _TIME.fullmatch(created)
        notes.found("time-format", "iso" if iso else "other")

    notes.skip("the report does not have it", *REPORT_IDS)
