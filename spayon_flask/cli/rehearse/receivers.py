"""Receivers: sessions whose callbacks and payers come back to the running shop."""

from __future__ import annotations

import hmac
import json
import re
import secrets
from base64 import b64encode
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ...client.payment_sessions import ascii_url
from ...errors import ConfigError
from ...rehearsals import Event
from ...rehearsals import Reply
from ...state import AppState
from .gateway import Gateway
from .gateway import StoppedError
from .gateway import names
from .gateway import session_of
from .gateway import url_of
from .steps import Facts
from .steps import report_facts


#: A key of a JSON object that may stand in a report.
_KEY = re.compile(r'"[A-Za-z][A-Za-z0-9_]{0,39}"')

#: A text in JSON, with the colon after it if it is a key; or a word or a number outside of texts.
_TOKEN = re.compile(r'("(?:[^"\\]|\\.)*"|[\w.+-]+)(\s*:)?', re.DOTALL)

#: A letter, a digit or an escape within a text.
_CHARACTER = re.compile(r"\\u[0-9a-fA-F]{4}|\\.|[^\W_]", re.DOTALL)

_LONGEST_SKELETON = 2000

#: Seconds between two looks at what has come.
_LOOK = 1.0


class Receivers:
    """Create sessions that lead back to the shop of *state*, and wait for what they lead to."""

    def __init__(
        self,
        state: AppState,
        gateway: Gateway,
        clock: Callable[[], datetime],
        sleep: Callable[[float], object],
    ) -> None:
        self._state = state
        self._gateway = gateway
        self.clock = clock
        self.sleep = sleep

    def links(self, key: str) -> dict[str, str]:
        """Return the URLs of the receiver *key*; raises `ConfigError` without PUBLIC_URL."""
        base = self._state.settings.public_url

        if base is None:
            raise ConfigError(
                f"{self._state.config_prefix}PUBLIC_URL is missing: callbacks and payers come back "
                "to the running shop, and this names its address"
            )

        return {
            f"{what}_url": ascii_url(base + self._state.urls.path("rehearsal", key=key, what=what))
            for what in ("callback", "return", "cancel")
        }

    def begin(
        self, body: Callable[[Mapping[str, str]], Mapping[str, Any]], replies: Sequence[Reply] = ()
    ) -> Facts:
        """Open a receiver, and create a session that leads there; *body* is made from the URLs."""
        key = secrets.token_hex(16)
        self._state.rehearsals.open(key, [*replies])
        fields = body(self.links(key))
        asked = self._gateway.create(fields)
        session_id = session_of(asked)

        if session_id is None:
            raise StoppedError(f"Spayon created no payment session (HTTP {asked.status})")

        return {
            "key": key,
            "session_id": session_id,
            "session_url": url_of(asked),
            "order_id": fields["order_id"],
            "at": self.clock().isoformat(),
        }

    def came(self, session: Facts, what: str) -> list[Event]:
        """Return what has come of *session* so far: its `callback`s, a `return` or a `cancel`."""
        return [
            event for event in self._state.rehearsals.events(session["key"]) if event.what == what
        ]

    def wait(self, session: Facts, what: str, seconds: float) -> list[Event]:
        """Wait until something has come, *seconds* at most."""
        waited = 0.0

        while not (found := self.came(session, what)) and waited < seconds:
            self.sleep(_LOOK)
            waited += _LOOK

        return found

    def status(self, session: Facts) -> tuple[Facts, Mapping[str, Any]]:
        """Ask how *session* stands: what can be said of the answer, and the answer."""
        asked = self._gateway.status(session["session_id"])
        return report_facts(asked.data, session["order_id"], "1000"), asked.data

    def callback_facts(self, event: Event, order_id: str) -> Facts:
        """Return what can be said of a callback without repeating anything that it holds."""
        header, form = self._signature(event)
        data = body_of(event)
        compact = b'":' in event.body and b'": ' not in event.body
        return {
            **report_facts(data, order_id, "1000"),
            "headers": sorted(names({name: "" for name, _ in event.headers})),
            "signature_header": header,
            "signature": form,
            "form": "compact" if compact else "with spaces",
            "bytes": skeleton(event.body),
            "seconds_after": _seconds_after(data.get("updatedAt"), event.at),
            "json_type": any(
                name.lower() == "content-type" and value.startswith("application/json")
                for name, value in event.headers
            ),
        }

    def _signature(self, event: Event) -> tuple[str, str]:
        """Return the name of the header that signs *event*, and how, "" if nothing does."""
        settings = self._state.settings
        keys = [(secret, "") for secret in settings.callback_secrets]
        keys.append((settings.client_secret, ", by the client secret"))
        bodies = [(event.body, ""), (_encoded_anew(event.body), ", over re-encoded JSON")]
        known: dict[str, str] = {}

        for body, what in bodies:
            for secret, whose in keys:
                digest = hmac.digest(secret.encode(), body, "sha256")
                known.setdefault(digest.hex(), f"hex{what}{whose}")
                known.setdefault(digest.hex().upper(), f"upper{what}{whose}")
                known.setdefault(b64encode(digest).decode(), f"base64{what}{whose}")

        for name, value in event.headers:
            if (form := known.get(value.strip())) is not None:
                return names({name: ""})[0], form

        # Most likely another secret, if the header is there and looks like a signature.
        found = {name.lower(): value for name, value in event.headers}.get("x-signature")
        return ("X-Signature", "by another secret, or over other bytes") if found else ("", "")


def body_of(event: Event) -> dict[str, Any]:
    """Return the JSON object of *event*, empty if there is none."""
    try:
        data = json.loads(event.body.decode("utf-8-sig"))

    except (ValueError, RecursionError):
        data = None

    return data if isinstance(data, dict) else {}


def skeleton(body: bytes) -> str:
    """Return *body* byte for byte, but for what its values say: letters are `x`, digits are `0`.

    Keys that are plain names stay, so that their order and all punctuation can be seen.
    """

    def masked(found: re.Match[str]) -> str:
        text, colon = found.group(1), found.group(2) or ""
        is_key = colon and _KEY.fullmatch(text)
        return found.group() if is_key else _CHARACTER.sub(_mask, text) + colon

    text = body.decode("utf-8", "replace")[:_LONGEST_SKELETON]
    return _TOKEN.sub(masked, text)


def _mask(found: re.Match[str]) -> str:
    character = found.group()

    if character.startswith("\\"):
        return "\\u0000" if len(character) > 2 else character  # noqa: PLR2004  an escape

    return "0" if character.isdigit() else "x"


def _seconds_after(updated_at: object, came_at: datetime) -> float | None:
    """Return how long after the change that it tells of a callback came, if that can be told."""
    if not isinstance(updated_at, str):
        return None

    try:
        # Python 3.10 does not read the Z.
        changed = datetime.fromisoformat(updated_at.replace("Z", "+00:00"))
        return round((came_at - changed).total_seconds(), 1)

    except (ValueError, TypeError, OverflowError):
        return None


def parameter_with(event: Event, session_id: str) -> str:
    """Return the name of the query parameter of *event* that is *session_id*, "" if none is."""
    found = {name: "" for name, value in event.parameters if value == session_id}
    return names(found)[0] if found else ""


def _encoded_anew(body: bytes) -> bytes:
    try:
        return json.dumps(json.loads(body)).encode()

    except (ValueError, RecursionError):
        return body
