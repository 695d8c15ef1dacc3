"""Wire: all that is said to Spayon, one call after the other, each kept with its answer."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..client import Client
from ..client.connections import probe
from ..domain.redaction import Hidden
from ..errors import SpayonError
from ..settings import Settings

#: Seconds between two calls: nobody is in a hurry, and Spayon is to notice nothing.
PAUSE = 0.5

#: No rehearsal makes more calls than this.
MAX_CALLS = 300

#: Bytes of an answer that are read, and letters of a body that stand in a report.
_READ, _SHOWN = 64 * 1024, 1500

#: Seconds that a `Retry-After` is obeyed at most.
_LONGEST_WAIT = 60.0

_UNAUTHORIZED, _BUSY, _BROKEN = 401, 429, 500

SESSIONS = "/api/product/session"

#: What stands in a report in place of a secret.
MASK = "(hidden)"

#: A key with a value that no report shows: Spayon may add the payer's card, say.
_PRIVATE = re.compile(
    r'("[^"]*(?:token(?!_type)|secret|signature|password|auth|card|pan|cvv|iban|phone|mail|holder'
    r'|payer|customer|(?:first|last|full|user)_?name|_ip)[^"]*"'
    r'\s*:\s*)("(?:[^"\\]|\\.)*"|[\d.]+)',
    re.IGNORECASE,
)
_JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")

#: A token, under whatever key the answer to its purchase has it.
_TOKEN = re.compile(r"[\w.~+/=-]{16,}")


class StoppedError(SpayonError):
    """Spayon's answer leaves a question open; the message repeats it, and says what to do."""


@dataclass(frozen=True)
class Call:
    """One request and its answer. *sent* and *said* are the bodies without secrets.

    *status* is None if there was no answer; *error* says why, in words. *body* has the exact bytes.
    """

    number: int
    method: str
    path: str
    sent: str
    status: int | None
    said: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    seconds: float = 0.0
    error: str | None = None

    @property
    def data(self) -> dict[str, Any]:
        """Return the JSON object of the answer, empty if there is none."""
        return json_object(self.body)

    @property
    def accepted(self) -> bool:
        """Return True if Spayon has done what it was asked to do."""
        return self.status in (200, 201)

    @property
    def in_trouble(self) -> bool:
        """Return True if the answer says nothing about the question."""
        return self.status is None or self.status == _BUSY or self.status >= _BROKEN

    @property
    def request(self) -> str:
        """Return the request in one line."""
        return f"{self.method} {self.path} {self.sent}".rstrip()

    @property
    def answer(self) -> str:
        """Return the answer in one line."""
        if self.status is None:
            return f"no answer: {self.error}"

        return f"HTTP {self.status} {self.said or '(no body)'}"


class Wire:
    """Speak to Spayon with the credentials of *settings*, and keep all *calls*.

    *client* is the package's own, as a shop has it; it speaks over this wire, too.
    """

    def __init__(
        self, settings: Settings, *, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        # A cache of the shop's would give its workers the tokens that are tried out here.
        self.settings = replace(settings, token_cache=None)
        self.shares_tokens = settings.token_cache is not None
        self.client = Client(self.settings, "rehearsal")
        self.client.answer_with(self._exchange)
        self.calls: list[Call] = []
        self._sleep = sleep
        self._secrets = {
            settings.client_id,
            settings.client_secret,
            *settings.callback_secrets,
        }

    def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, token: str = ""
    ) -> Call:
        """Ask one question, with a *token* if it takes one, and return what came of it.

        Raises `StoppedError` if there is no answer, 429 or 5xx.
        """
        headers = {"Accept": "application/json", "Content-Type": "application/json"}

        if token:
            headers["Authorization"] = Hidden(f"Bearer {token}")

        sent = b"" if body is None else json.dumps(body).encode()
        call = self._send(method, self.settings.api_url + path, headers, sent)

        if call.in_trouble:
            raise StoppedError(call.answer)

        return call

    def ask_with_token(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Call:
        """Ask as `ask` does, with a token; once more if it was refused."""
        for _ in range(2):
            token = self.client.tokens.get()
            call = self.ask(method, path, body, token=token)

            # The running shop may have bought one meanwhile, which has ended ours.
            if call.status != _UNAUTHORIZED:
                break

            self.client.tokens.drop(token)

        return call

    def status(self, session_id: str, token: str = "") -> Call:
        """Ask how a session stands, perhaps with a *token* of the caller's."""
        path = f"{SESSIONS}/{session_id}"

        if token:
            return self.ask("GET", path, token=token)

        return self.ask_with_token("GET", path)

    def clean(self, text: str) -> str:
        """Return *text* without secrets and tokens."""
        for secret in sorted(filter(None, self._secrets), key=len, reverse=True):
            text = text.replace(secret, MASK).replace(json.dumps(secret)[1:-1], MASK)

        text = _JWT.sub(MASK, text)
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} letters)"

    def clean_body(self, body: bytes) -> str:
        """Return what Spayon has sent, without secrets, and without what it tells of a payer."""
        return self.clean(_PRIVATE.sub(rf'\1"{MASK}"', body.decode("utf-8", "replace")))

    def _exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        call = self._send(method, url, headers, body)

        if call.status is None:
            raise OSError(call.error)

        # The body is decoded already, and whole.
        return call.status, {"Retry-After": call.headers.get("retry-after", "")}, call.body

    def _send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Call:
        if len(self.calls) >= MAX_CALLS:
            raise StoppedError(f"this rehearsal has made {MAX_CALLS} calls: that is enough")

        if self.calls:
            self._sleep(self._wait_after(self.calls[-1]))

        path = url.removeprefix(self.settings.api_url)
        answer = probe(
            url,
            timeout=self.settings.timeout,
            method=method,
            body=body or None,
            headers=headers,
            kept=_READ,
        )

        if path == "/api/tokens":
            # Remembered, whatever key it stands under.
            self._secrets |= {*_long_texts(answer.body)}

        call = Call(
            len(self.calls) + 1,
            method,
            path,
            self.clean(body.decode("utf-8", "replace")),
            answer.status,
            self.clean_body(answer.body),
            answer.body,
            {name.lower(): value for name, value in answer.headers.items()},
            answer.seconds,
            answer.error,
        )
        self.calls.append(call)
        return call

    def _wait_after(self, call: Call) -> float:
        try:
            asked_for = float(call.headers.get("retry-after", ""))

        except ValueError:
            asked_for = 0.0

        return max(PAUSE, min(asked_for, _LONGEST_WAIT))


def _long_texts(body: bytes) -> Iterator[str]:
    """Return the texts of an answer that may be a token."""
    return (each.group() for each in _TOKEN.finditer(body.decode("utf-8", "replace")))


def json_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object that *body* is, empty if it is none."""
    try:
        data = json.loads(body.decode("utf-8-sig"))

    except (ValueError, RecursionError):
        data = None

    return data if isinstance(data, dict) else {}


def jwt_seconds(token: str) -> float | None:
    """Return the seconds from issue to end that a JWT names, or None if it names none."""
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return float(claims["exp"]) - float(claims["iat"])

    except (IndexError, ValueError, KeyError, TypeError):
        return None


def seconds_in(value: object) -> float | None:
    try:
        return float(str(value))

    except ValueError:
        return None
