"""A gateway for interleavings: what it knows can be taken back in a moment."""

import copy
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from tests.gateway import Gateway as ScriptedGateway
from tests.gateway import Says
from tests.reports import report


class Gateway(ScriptedGateway):
    """A gateway that remembers.

    *sessions* are the payment sessions by their id, each with price, currency, order and status.
    While *loses_answers* is set, a payment session is made and its answer is not sent. While *down*
    is set, nothing is done at all. *clock* tells when a payment session was made.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__()
        self.sessions: dict[str, dict[str, Any]] = {}
        self.loses_answers = False
        self.down = False
        self._clock = clock
        self.creations = self._answer_creation
        self.statuses = self._answer_status

    def _answer_creation(self, _: str) -> Says:
        if self.down:
            return Says(code=503)

        session_id = self.create(json.loads(self.call.body))

        if self.loses_answers:
            return Says(code=502)

        url = f"{self.url}/pay/{session_id}"
        return Says(json.dumps({"session_id": session_id, "session_url": url}).encode())

    def _answer_status(self, session_id: str) -> Says:
        if self.down:
            return Says(code=503)

        return Says(self.report(session_id)) if session_id in self.sessions else Says(code=404)

    def create(self, asked: dict[str, Any]) -> str:
        """Make a payment session, and return its id."""
        session_id = f"G{len(self.sessions) + 1}"
        self.sessions[session_id] = {
            "price": str(asked["price"]),
            "currency": str(asked["currency"]).upper(),
            "orderId": asked["order_id"],
            "status": "pending",
            "made_at": self._clock(),
        }
        return session_id

    def report(self, session_id: str, **fields: Any) -> bytes:
        """Return what the gateway says of a payment session; a field that is None is left out."""
        session = self.sessions.get(session_id, {})
        names = ("status", "price", "currency", "orderId")
        return report(session_id, **{each: session[each] for each in names if session} | fields)

    def state(self) -> dict[str, dict[str, Any]]:
        """Return a copy of what it knows."""
        return copy.deepcopy(self.sessions)

    def restore(self, state: dict[str, dict[str, Any]]) -> None:
        """Know what it knew then, and nothing else."""
        self.sessions = copy.deepcopy(state)
        self.loses_answers = self.down = False
