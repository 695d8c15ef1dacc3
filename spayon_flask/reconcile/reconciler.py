"""Reconciler: ask Spayon about the payments of one account; what a run of them did."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from ..client import Client
from ..domain.reports import Body, Report
from ..domain.transitions import BARRING, SESSION_LIFETIME
from ..errors import SessionNotFoundError
from ..storage import Storage

#: Status calls under way at once, if the caller names no other number.
JOBS = 4


class Answer(NamedTuple):
    """Whether Spayon was *asked*, and the *status* that it named.

    It is not asked if somebody has asked just now, or if there is no payment session. The status is
    None if Spayon does not know the payment session.
    """

    asked: bool
    status: str | None = None


class Reconciler:
    """Ask about payments of *storage* through *client*, with the times of *clock*."""

    def __init__(self, client: Client, storage: Storage, clock: Callable[[], datetime]) -> None:
        #: The account, as signals and logs name it.
        self.account = storage.account
        self.storage = storage
        self._client = client
        self._clock = clock

    def refresh(
        self, payment: Any, *, settled: bool = False, within: float | None = None
    ) -> Answer:
        """Ask about *payment*, unless somebody has asked just now, and record the answer.

        Spayon is not asked about a payment that is paid or under review, unless *settled* is true,
        nor about one of another gateway. The question takes *within* seconds at most, by default
        what TIMEOUT says. Raises a `GatewayError` if Spayon gives no usable answer, and what
        recording raises.
        """
        payment_id, session_id, now = payment.id, payment.session_id, self._clock()
        ends_at = payment.expires_at or payment.created_at + SESSION_LIFETIME

        if session_id is None or (payment.status in BARRING and not settled):
            return Answer(asked=False)

        if not self.storage.schedule.claim_check(payment_id, now=now, settled=settled):
            return Answer(asked=False)

        report = self.ask(session_id, ends_at, within)

        if report is None:
            return Answer(asked=True)

        self.storage.recorder.record(report, source="status_check", now=now)
        # What we conclude from a 404 has no body.
        return Answer(asked=True, status=report.status if report.body else None)

    def ask(self, session_id: str, ends_at: datetime, within: float | None = None) -> Report | None:
        """Return what Spayon says, or None if it knows no such session, which may yet live."""
        try:
            return self._client.get_session(session_id, within=within)

        except SessionNotFoundError:
            over = self._clock() >= ends_at
            return Report(session_id=session_id, status="expired", body=Body(b"")) if over else None


class Step(NamedTuple):
    """A payment that a run is done with: its new *status*, if it changed, or the *problem*."""

    payment_id: int
    session_id: str | None
    status: str | None = None
    problem: str | None = None


@dataclass
class Summary:
    """What a run of `reconcile` did.

    *asked* counts status calls, *changed* the new statuses, *unanswered* the payments that
    Spayon gave no usable answer for, *failed* those that could not be recorded because a handler
    or the database failed, *handed_over* the rows given to the dispatcher. *refused* says that
    Spayon does not accept our credentials, *refused_vendors* names the vendors of which that is
    true, *put_back* how many payments were left for another run.
    """

    asked: int = 0
    unanswered: int = 0
    failed: int = 0
    handed_over: int = 0
    put_back: int = 0
    refused: bool = False
    refused_vendors: list[str] = field(default_factory=list)
    changed: Counter[str] = field(default_factory=Counter)

    @property
    def exit_code(self) -> int:
        """0 all answered, 1 something is wrong on our side, 2 Spayon left some unanswered."""
        if self.refused or self.refused_vendors or self.failed:
            return 1

        return 2 if self.unanswered or self.put_back else 0

    def __str__(self) -> str:
        changed = ", ".join(f"{n} {status}" for status, n in sorted(self.changed.items()))
        parts = [f"asked {self.asked}", f"changed {changed or 'none'}"]
        parts += [
            f"{word} {number}"
            for word, number in (
                ("unanswered", self.unanswered),
                ("failed", self.failed),
                ("put back", self.put_back),
                ("handed over", self.handed_over),
            )
            if number
        ]
        parts += [f"refused {', '.join(self.refused_vendors)}"] if self.refused_vendors else []
        return "; ".join(parts)


class Beat(NamedTuple):
    """A run of reconcile that came to its end: when, with which exit code, and its summary."""

    finished_at: datetime
    exit_code: int
    summary: str


class Heartbeat:
    """Keep the last beat in the file *path*, if its folder is there: each host has its own."""

    def __init__(self, path: str) -> None:
        self._path = path

    def write(self, beat: Beat) -> None:
        """Replace the last beat; if nothing can be written, nothing is."""
        path = Path(self._path)
        written = {**beat._asdict(), "finished_at": beat.finished_at.isoformat()}

        # A run is done once it has recorded what it asked for. A full disk changes nothing in that.
        with suppress(OSError):
            if path.parent.is_dir():
                new = path.with_suffix(".new")
                new.write_text(json.dumps(written) + "\n", encoding="utf-8")
                new.replace(path)

    def read(self) -> Beat | None:
        """Return the last beat, or None if there is none, or no file that makes sense."""
        try:
            found = json.loads(Path(self._path).read_text(encoding="utf-8"))
            moment = datetime.fromisoformat(found["finished_at"])
            return Beat(moment, int(found["exit_code"]), str(found["summary"]))

        except (OSError, ValueError, KeyError, TypeError):
            return None
