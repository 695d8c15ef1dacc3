"""A stand-in for Spayon with one quirk: as documented, but for what the quirk changes.

It is written for the rehearsal alone, and shares nothing with the simulator.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from werkzeug.wrappers import Request, Response

SECRET = "stand-in-callback-secret"
CLIENT = {"client_id": "stand-in", "client_secret": "stand-in-secret"}

Fields = dict[str, Any]


@dataclass
class Says:
    """An answer: a status code, a body, JSON unless it is bytes, and headers."""

    body: Any
    code: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Sent:
    """A callback on its way to a shop."""

    body: bytes
    headers: dict[str, str]
    method: str = "POST"
    times: int = 1


def same(value: Any, *_: Any) -> Any:
    """Change nothing."""
    return value


@dataclass
class Quirk:
    """What is not as documented; each function changes what the stand-in would say or send."""

    #: Any answer at all, given with the number of the call.
    any: Callable[[Says, int], Says] = same
    token: Callable[[Says], Says] = same
    wrong_secret: Callable[[Says], Says] = same
    wrong_token: Callable[[Says], Says] = same
    old_tokens_die: bool = False
    #: Returns the code with which a creation with such fields is refused, 0 if it is not.
    refuses: Callable[[Fields], int] = lambda _: 0
    created: Callable[[Says], Says] = same
    #: A used order: `new`, `refused` with a code, or `same`.
    used: str = "new"
    used_code: int = 409
    one_session: bool = False
    second_ends_first: bool = False
    unknown: Callable[[Says], Says] = same
    malformed: Callable[[Says], Says] = same
    #: What a session is called as long as nobody has paid.
    fresh: str = "pending"
    #: The fields of a report, in status answers and in callbacks.
    report: Callable[[Fields], Fields] = same
    status: Callable[[Says], Says] = same
    told: Callable[[Fields], Fields] = same
    callback: Callable[[Sent], Sent] = same
    fails: str = "when given up"
    back: str = "pending"
    returns: Callable[[dict[str, str]], dict[str, str]] = same
    return_method: str = "GET"
    cancel_parameter: str = ""


#: Carries a request to a shop: method, URL, headers and body; returns the code of the answer.
Carry = Callable[[str, str, Mapping[str, str], bytes], int]


class StandIn:
    """Spayon with one *quirk*; *carry* takes its callbacks and its payers to a shop."""

    def __init__(self, quirk: Quirk, carry: Carry) -> None:
        self.quirk = quirk
        self.carry = carry
        self.url = ""
        self.sessions: dict[str, Fields] = {}
        self.tokens: list[str] = []
        self.calls = 0
        #: The answers to callbacks, and to the payer who comes back.
        self.answers: list[int] = []
        self.came_back = 0

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        self.calls += 1
        request = Request(environ)
        said = self.quirk.any(self._answer(request), self.calls)
        body = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
        headers = {"Content-Type": "application/json", **said.headers}
        return Response(body, said.code, headers)(environ, start_response)

    def _answer(self, request: Request) -> Says:
        if request.path == "/api/tokens":
            return self._token(json.loads(request.get_data()))

        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        alive = self.tokens[-1:] if self.quirk.old_tokens_die else self.tokens

        if token not in alive:
            return self.quirk.wrong_token(Says({"message": "Unauthorized"}, 401))

        if request.method == "POST":
            return self._create(json.loads(request.get_data()))

        return self._status(request.path.rpartition("/")[2])

    def _token(self, asked: Fields) -> Says:
        if asked != CLIENT:
            return self.quirk.wrong_secret(Says({"message": "Unauthorized"}, 401))

        self.tokens.append(f"token-number-{len(self.tokens):08}")
        return self.quirk.token(
            Says({"access_token": self.tokens[-1], "token_type": "Bearer", "expires_in": 3600})
        )

    def _create(self, fields: Fields) -> Says:
        if code := self.quirk.refuses(fields):
            return Says({"message": "refused", "got": sorted(fields)}, code)

        order = fields.get("order_id")
        used = [name for name, each in self.sessions.items() if order and each["order_id"] == order]

        if used and self.quirk.used == "refused":
            return Says({"message": "order_id was used"}, self.quirk.used_code)

        if used and self.quirk.second_ends_first:
            self.sessions[used[-1]]["status"] = "expired"

        if used and self.quirk.used == "same":
            session_id = used[-1]

        elif self.sessions and self.quirk.one_session:
            session_id = next(iter(self.sessions))

        else:
            session_id = f"session-{len(self.sessions) + 1:04}"
            self.sessions[session_id] = {"order_id": order, **fields, "status": "pending"}

        url = f"{self.url}/hosted/{session_id}"
        return self.quirk.created(Says({"session_id": session_id, "session_url": url}))

    def _status(self, session_id: str) -> Says:
        if session_id not in self.sessions:
            quirk = self.quirk.malformed if session_id == "no-id" else self.quirk.unknown
            return quirk(Says({"message": "Not Found"}, 404))

        return self.quirk.status(Says(self._report(session_id)))

    def _report(self, session_id: str) -> Fields:
        session = self.sessions[session_id]
        status = session["status"]
        return self.quirk.report(
            {
                "sessionId": session_id,
                "status": self.quirk.fresh if status == "pending" else status,
                "productName": session.get("product_name", "A product"),
                "price": str(session.get("price", 5000)),
                "currency": str(session.get("currency", "amd")).upper(),
                "createdAt": "2026-11-22T12:00:00.000Z",
                "updatedAt": "2026-11-22T12:01:00.000Z",
                **({"orderId": session["order_id"]} if session["order_id"] else {}),
            }
        )

    def end(self, session_id: str, status: str, *, deliver: bool = True) -> None:
        """End a session, and deliver its callback."""
        self.sessions[session_id]["status"] = status
        fields = self._report(session_id)

        if status == "failed":
            reason = {"transactionId": 1, "responseCode": "05", "responseReasonEn": "No"}
            fields["declineReasons"] = [reason]

        body = json.dumps(self.quirk.told(fields)).encode()
        headers = {"X-Signature": sign(body), "Content-Type": "application/json"}
        sent = self.quirk.callback(Sent(body, headers))

        for _ in range(sent.times if deliver else 0):
            url = self.sessions[session_id]["callback_url"]
            self.answers.append(self.carry(sent.method, url, sent.headers, sent.body))

    def bring_back(self, session_id: str, what: str) -> None:
        """Send the payer to the return or the cancel URL."""
        name = self.quirk.cancel_parameter
        query = urlencode(
            self.quirk.returns({"session_id": session_id})
            if what == "return_url"
            else {name: session_id}
            if name
            else {}
        )
        url = self.sessions[session_id][what]
        url = f"{url}?{query}" if query else url
        method = self.quirk.return_method if what == "return_url" else "GET"
        self.came_back = self.carry(method, url, {}, b"")


def sign(body: bytes, secret: str = SECRET) -> str:
    """Return the documented signature."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
