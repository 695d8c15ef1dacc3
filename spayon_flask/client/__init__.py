"""Client: the gateway's API over HTTP."""

from __future__ import annotations

import hashlib
import logging
import re
import time
from typing import Any
from urllib.parse import quote

from ..errors import AuthenticationError
from ..errors import InvalidPayloadError
from ..errors import RequestRefusedError
from ..errors import SessionNotFoundError
from ..errors import UnexpectedAnswerError
from ..orders import Order
from ..reports import Report
from ..settings import Settings
from ..tokens import Token
from ..tokens import TokenService
from .payment_sessions import PaymentSession
from .payment_sessions import read_session
from .payment_sessions import session_body
from .transport import Answer
from .transport import Transport


logger = logging.getLogger(__name__)

#: Seconds a token is good for (Spayon's documentation, authentication), where an answer is silent.
TOKEN_SECONDS = 3600.0


class Client:
    """Speak to Spayon on behalf of one vendor account, called *account* in signals and logs.

    Every method raises a `GatewayError`; no message of one holds a secret or personal data.
    """

    def __init__(self, settings: Settings, account: str = "spayon") -> None:
        self._settings = settings
        self._transport = Transport(settings.api_url, settings.timeout, account)
        digest = hashlib.sha256(f"{settings.api_url} {settings.client_id}".encode()).hexdigest()
        self.tokens = TokenService(
            self.request_token,
            cache=settings.token_cache,
            cache_key=f"spayon:token:{digest[:16]}",
        )

    def answer_with(self, wsgi_app: Any) -> None:
        """Let *wsgi_app* answer every call from now on, without a socket; for tests."""
        # Imported for those who test: a web worker does not.
        from .in_process import InProcess  # noqa: PLC0415  on demand

        self._transport.answer_with(InProcess(wsgi_app))

    def request_token(self) -> Token:
        """Ask for a new bearer token: `POST /api/tokens`."""
        asked = time.monotonic()
        answer = self._transport.send(
            "token",
            "POST",
            "/api/tokens",
            json={
                "client_id": self._settings.client_id,
                "client_secret": self._settings.client_secret,
            },
        )

        if answer.status in (400, 401, 403):
            raise AuthenticationError(
                "Spayon refused CLIENT_ID and CLIENT_SECRET: compare them with the settings in the "
                "admin panel, of the same environment"
            )

        data = answer.json_object()
        token = data.get("access_token")

        # It becomes a header: a line break in it would be another header.
        if not isinstance(token, str) or not re.fullmatch(r"[!-~]+", token):
            raise UnexpectedAnswerError("Spayon's answer holds no usable access_token")

        # Counted from the question on, since the answer may have been on its way for long.
        seconds = _seconds(data.get("expires_in")) - (time.monotonic() - asked)
        return Token(token, max(seconds, 0.0))

    def create_session(
        self, order: Order, *, callback_url: str, return_url: str, cancel_url: str
    ) -> PaymentSession:
        """Create a payment session for *order*: `POST /api/product/session`."""
        body = session_body(order, self._settings)
        body |= {"callback_url": callback_url, "return_url": return_url, "cancel_url": cancel_url}
        answer = self._send("create", "POST", "/api/product/session", json=body)

        if answer.status not in (200, 201):
            raise RequestRefusedError(
                f"Spayon refused to create a payment session (HTTP {answer.status}): check the "
                "order's fields and the shop's URLs",
                status_code=answer.status,
            )

        return read_session(answer.json_object(), https_only=self._settings.production)

    def get_session(self, session_id: str) -> Report:
        """Ask what became of a payment session: `GET /api/product/session/{session_id}`.

        Raises `SessionNotFoundError` where Spayon does not know it.
        """
        answer = self._send("status", "GET", f"/api/product/session/{quote(session_id, safe='')}")

        if answer.status == 404:  # noqa: PLR2004  an HTTP status
            raise SessionNotFoundError("Spayon does not know this payment session")

        if answer.status != 200:  # noqa: PLR2004  an HTTP status
            raise RequestRefusedError(
                f"Spayon refused to tell the status (HTTP {answer.status})",
                status_code=answer.status,
            )

        try:
            report = Report.from_json(answer.body)

        except InvalidPayloadError as error:
            raise UnexpectedAnswerError(f"Spayon's answer is unusable: {error}") from None

        if report.session_id != session_id:
            raise UnexpectedAnswerError("Spayon answered about another payment session")

        return report

    def _send(self, call: str, method: str, path: str, json: Any = None) -> Answer:
        """Send with a token; where it is refused, once more with a new one."""
        for _ in range(2):
            token = self.tokens.get()
            answer = self._transport.send(call, method, path, json=json, token=token)

            if answer.status != 401:  # noqa: PLR2004  an HTTP status
                return answer

            logger.info("token refused, asking for another", extra={"call": call})
            self.tokens.drop(token)

        raise AuthenticationError("Spayon refused a token that it had just given out")


def _seconds(value: object) -> float:
    if value is None:
        return TOKEN_SECONDS

    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 10**9:
        raise UnexpectedAnswerError("Spayon's answer holds no usable expires_in")

    return float(value)
