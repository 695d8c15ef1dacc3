"""Rehearsal: one walk through the steps, which a killed one goes on with."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from collections.abc import Mapping
from functools import partial
from hashlib import sha256
from typing import Any

from ...errors import ConfigError
from ...rehearsals import REHEARSAL
from ...state import AppState
from .gateway import Gateway
from .public_steps import HANG
from .public_steps import Payer
from .public_steps import Person
from .public_steps import Redelivery
from .receivers import Receivers
from .steps import OPTIONAL
from .steps import PRODUCT
from .steps import STEPS
from .steps import Alone
from .steps import Facts


#: The URLs of sessions that nobody is to come back from, if the shop has no public address.
NOWHERE = {
    "callback_url": "https://example.com/spayon-rehearsal/callback",
    "return_url": "https://example.com/spayon-rehearsal/return",
    "cancel_url": "https://example.com/spayon-rehearsal/cancel",
}

#: Minutes that a redelivery takes by the documentation. By itself: 15 until the sessions expire, 10
#: for three attempts, 7 to see that there is no fourth. A payer's sessions need not expire, if
#: Spayon ends a session when the payer gives up.
ALONE = 32
WITH_PAYER = 17

#: The session that is left to expire beside those of a payer.
_EXPIRING = "expiring-session"

#: The payer's steps, and what their sessions serve for in a redelivery.
_SERVES = {"pay": "accepting", "decline": "refusing", "back": "slow"}


class Rehearsal:
    """Ask the gateway of *state*, and keep each answer before the next question.

    *tell* is told what is about to be done. *clock* and *sleep* are those of the machine, *hang* is
    how many seconds one callback is kept waiting.
    """

    def __init__(
        self,
        state: AppState,
        person: Person,
        tell: Callable[[str], object],
        *,
        sleep: Callable[[float], object] = time.sleep,
        hang: float = HANG,
    ) -> None:
        self._state = state
        self._tell = tell
        self.facts: dict[str, Facts] = {}
        self._gateway = Gateway(state, sleep)
        receivers = Receivers(state, self._gateway, state.clock, sleep)
        self._links = receivers.links
        self._payer = Payer(receivers, person, self._body, partial(self._once, says=""))
        self._redelivery = Redelivery(receivers, self._body, hang)

    def begin(self, *, resume: bool) -> None:
        """Begin anew, or go on with what is known of the same account of the same gateway."""
        settings = self._state.settings
        digest = sha256(f"{settings.api_url} {settings.client_id}".encode()).hexdigest()
        about = {"account": digest[:16]}
        found = self._state.rehearsals.journal() if resume else {}

        if found.get("about") == about:
            self.facts = found
            return

        self._state.rehearsals.begin()
        self.facts = {"about": about}

    def alone(self) -> None:
        """Ask what takes neither a payer nor a public address."""
        alone = Alone(self._gateway, self._nowhere(), self.facts, partial(self._once, says=""))

        for step in STEPS:
            self._once(step.name, partial(step.ask, alone), step.says)

    def with_payer(self, *, redelivery: bool = False) -> None:
        """Ask what takes a person who pays.

        If *redelivery* is asked about as well, the callbacks of the payer's sessions are refused,
        so that nobody has to wait until others expire.
        """
        if redelivery and "pay-session" not in self.facts:
            self._once(_EXPIRING, self._redelivery.begin_expiring, "create a session that expires")

        for name, says, work in (
            ("pay", "have a session paid", self._payer.pay),
            ("decline", "have a card declined", self._payer.decline),
            ("back", "have a payer click back", self._payer.back),
        ):
            if name not in self.facts:
                refused = self._redelivery.replies[_SERVES[name]] if self._refuses else []
                begin = partial(self._payer.begin, refused)
                session = self._once(f"{name}-session", begin, f"{says}: create it")
                self._once(name, partial(work, session), says)

        if self._refuses:
            session = self.facts["back-session"]
            self._once("give-up", partial(self._payer.give_up, session), "have it given up")

    def redelivery(self) -> None:
        """Count how callbacks come that are refused."""
        if "redelivery" in self.facts:
            return

        if (sessions := self._sessions_of_payer()) is None:
            sessions = self._once(
                "redelivery-sessions", self._redelivery.begin, "create three sessions that expire"
            )

        self._once(
            "redelivery",
            partial(self._redelivery.finish, sessions),
            "wait until a session has expired and no callback comes any more: nobody has to be "
            f"there, and it takes at least {WITH_PAYER if 'expiring' in sessions else ALONE} "
            "minutes from when the sessions were created",
        )

    @property
    def _refuses(self) -> bool:
        """Return True if the callbacks of the payer's sessions are refused."""
        return _EXPIRING in self.facts

    def _sessions_of_payer(self) -> Facts | None:
        """Return the payer's sessions that serve for the redelivery, or None if they do not."""
        sessions = {
            "expiring": self.facts.get(_EXPIRING),
            **{serves: self.facts.get(f"{name}-session") for name, serves in _SERVES.items()},
        }

        # Once a rehearsal was over, its receivers are closed.
        if "give-up" not in self.facts or not all(
            each is not None and self._state.rehearsals.is_open(each["key"])
            for each in sessions.values()
        ):
            return None

        return sessions

    def end(self) -> None:
        """Close what the running shop has open for this rehearsal."""
        self._state.rehearsals.close()

    def _once(self, name: str, ask: Callable[[], Facts], says: str) -> Facts:
        """Return the facts of the step *name*, asked for only if they are not known."""
        if name not in self.facts:
            if says:
                self._tell(says)

            found = ask()
            self.facts[name] = found
            self._state.rehearsals.keep(self.facts)

        return self.facts[name]

    def _body(self, links: Mapping[str, str]) -> Mapping[str, Any]:
        """Return the body of a creation that leads to *links*."""
        base = self.facts.get("creation", {}).get("base", {})
        order_id = f"{REHEARSAL}{secrets.token_hex(6)}"
        body = {**PRODUCT, **OPTIONAL, **links, "order_id": order_id, **base}
        return {name: value for name, value in body.items() if value is not None}

    def _nowhere(self) -> Mapping[str, str]:
        """Return links for sessions that expire: ours, if there are any, since they are refused."""
        try:
            return self._links(secrets.token_hex(16))

        except ConfigError:
            return NOWHERE


def environment_of(state: AppState) -> str:
    """Return what a report calls the gateway of *state*."""
    return "simulator" if state.settings.simulated else state.settings.environment
