"""The gateway as a rehearsal asks it: one plain request each, whatever the answer is."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from ...client.probe import Probed
from ...client.probe import probe
from ...errors import SpayonError
from ...hidden import Hidden
from ...state import AppState


#: Seconds between two calls: nobody is in a hurry, and Spayon is to notice nothing.
PAUSE = 1.0

#: No rehearsal makes more calls than this.
MAX_CALLS = 150

_BROKEN = 500

#: A name that may stand in a report. What an answer holds under it never does.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")


class StoppedError(SpayonError):
    """A rehearsal cannot go on; what it has found out so far is kept."""


class ServerError(StoppedError):
    """Spayon answered with an error 500."""


@dataclass(frozen=True)
class Asked:
    """An answer: its *status*, and the JSON object *data*, empty if there is none."""

    status: int
    data: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"Asked(status={self.status})"

    @property
    def accepted(self) -> bool:
        """Return True if Spayon has done what it was asked to do."""
        return 200 <= self.status < 300  # noqa: PLR2004  an HTTP status

    @property
    def token(self) -> Hidden | None:
        """Return the token in an answer to a purchase, or None if there is none."""
        found = self.data.get("access_token")
        return Hidden(found) if isinstance(found, str) and self.accepted else None

    @property
    def keys(self) -> list[str]:
        """Return the names of the answer's keys, in their order."""
        return names(self.data)


def names(data: Mapping[str, Any]) -> list[str]:
    """Return the keys of *data* that are plain names; of any other only that it is there."""
    return [key if _NAME.fullmatch(key) else "(another name)" for key in data]


class Gateway:
    """Ask Spayon with the credentials of *state*; *sleep* waits between two calls."""

    def __init__(self, state: AppState, sleep: Callable[[float], object]) -> None:
        self._state = state
        self._sleep = sleep
        self._token: Hidden | None = None
        self.calls = 0

    def buy_token(self, *, wrong_secret: bool = False) -> Asked:
        """Ask for a token, perhaps with a secret that is wrong on purpose."""
        settings = self._state.settings
        secret = "a-wrong-secret-on-purpose" if wrong_secret else settings.client_secret
        credentials = {"client_id": Hidden(settings.client_id), "client_secret": Hidden(secret)}
        asked = self._ask("POST", "/api/tokens", credentials, None)

        # The newest one serves: it may have ended those before it.
        self._token = asked.token or self._token
        return asked

    def create(self, body: Mapping[str, Any]) -> Asked:
        """Create a payment session. It is remembered, so that no callback of it is taken for one
        of the shop's own.
        """
        asked = self._with_token("POST", "/api/product/session", body)

        if (session_id := session_of(asked)) is not None:
            self._state.rehearsals.add_session(session_id)

        return asked

    def status(self, session_id: str, *, token: str | None = None) -> Asked:
        """Ask how a session stands, perhaps with a *token* of the caller's."""
        path = f"/api/product/session/{session_id}"
        return self._ask("GET", path, None, token) if token else self._with_token("GET", path, None)

    def odd(self, ask: Callable[[], Asked]) -> Asked:
        """Return the answer to an odd question, which may be an error 500.

        It is the answer if it comes twice, and Spayon answers a plain question after that.
        """
        for _ in range(2):
            with suppress(ServerError):
                return ask()

        self.status(str(uuid4()))
        return Asked(_BROKEN, {})

    def _with_token(self, method: str, path: str, body: Mapping[str, Any] | None) -> Asked:
        for _ in range(2):
            if self._token is None:
                self._token = self.buy_token().token

            asked = self._ask(method, path, body, self._token)

            # The running shop has bought one meanwhile, and that has ended ours.
            if asked.status != 401:  # noqa: PLR2004  an HTTP status
                break

            self._token = None

        return asked

    def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None, token: str | None
    ) -> Asked:
        if self.calls:
            self._sleep(PAUSE)

        self.calls += 1

        if self.calls > MAX_CALLS:
            raise StoppedError(f"this rehearsal has made {MAX_CALLS} calls: that is enough")

        headers = {"Accept": "application/json", "Content-Type": "application/json"}

        if token is not None:
            headers["Authorization"] = Hidden(f"Bearer {token}")

        answer = probe(
            self._state.settings.api_url + path,
            method=method,
            body=None if body is None else json.dumps(body).encode(),
            headers=headers,
            timeout=self._state.settings.timeout,
        )
        return self._read(answer)

    def _read(self, answer: Probed) -> Asked:
        if answer.status is None:
            raise StoppedError(f"Spayon gave no answer: {answer.error}")

        if answer.status == _BROKEN:
            raise ServerError("Spayon is not available (HTTP 500)")

        if answer.status == 429 or answer.status >= 500:  # noqa: PLR2004  an HTTP status
            raise StoppedError(f"Spayon is not available (HTTP {answer.status})")

        try:
            data = json.loads(answer.body.decode("utf-8-sig"))

        except (ValueError, RecursionError):
            data = None

        return Asked(answer.status, data if isinstance(data, dict) else {})


def session_of(asked: Asked) -> str | None:
    """Return the id of the session in the answer to a creation, in either spelling."""
    found = asked.data.get("session_id", asked.data.get("sessionId"))
    return found if isinstance(found, str) and re.fullmatch(r"[\w.~-]{1,255}", found) else None


def url_of(asked: Asked) -> str:
    """Return the address of the hosted page in the answer to a creation, "" if it has none."""
    found = asked.data.get("session_url", asked.data.get("sessionUrl"))
    return found if isinstance(found, str) else ""


def jwt_seconds(token: str) -> float | None:
    """Return the seconds from issue to end that a JWT names, or None if it names none."""
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return float(claims["exp"]) - float(claims["iat"])

    except (IndexError, ValueError, KeyError, TypeError):
        return None
