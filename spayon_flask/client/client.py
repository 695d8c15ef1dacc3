"""Client: the three calls of the gateway's API."""

from __future__ import annotations

import hashlib
import logging
import math
import re
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any
from urllib.parse import quote

from ..domain.orders import Order
from ..domain.redaction import Hidden
from ..domain.reports import Report
from ..errors import (
    AuthenticationError,
    InvalidPayloadError,
    RequestRefusedError,
    SessionNotFoundError,
    UnexpectedAnswerError,
)
from ..settings import Settings
from .connections import Exchange
from .payment_sessions import PaymentSession, ascii_url, read_session, session_body
from .tokens import Token, TokenService
from .transport import Answer, Transport

logger = logging.getLogger(__name__)

#: Seconds a token is good for (Spayon's documentation, authentication), if an answer does not say.
TOKEN_SECONDS = 3600.0

#: The answers to a creation that may be about one of its fields.
_REFUSED = (400, 409, 422)

#: No token is believed to live longer than this many seconds.
_LONGEST_LIFE = 24 * 3600.0


class Client:
    """Speak to Spayon on behalf of one vendor account, called *account* in signals and logs.

    Every method raises a `GatewayError`; no message of one holds a secret or personal data. If
    *beside* is given, its connections are used.
    """

    def __init__(
        self,
        settings: Settings,
        account: str = "spayon",
        around: Callable[[], AbstractContextManager[None]] = nullcontext,
        beside: Transport | None = None,
    ) -> None:
        self._settings = settings
        self._transport = Transport(settings.api_url, settings.timeout, account, around, beside)
        # With the secret: to know the id of another vendor gives nobody that vendor's token.
        buyer = f"{settings.api_url} {settings.client_id} {settings.client_secret}"
        digest = hashlib.sha256(buyer.encode()).hexdigest()
        self.tokens = TokenService(
            self.request_token,
            cache=settings.token_cache,
            cache_key=f"spayon:token:{digest[:16]}",
        )

    def answer_with(self, exchange: Exchange) -> None:
        """Let *exchange* answer every call from now on, without a socket; for tests."""
        self._transport.answer_with(exchange)

    def request_token(self, within: float | None = None) -> Token:
        """Ask for a new bearer token: `POST /api/tokens`."""
        if not self._settings.client_id:
            raise AuthenticationError("this vendor has no credentials any more, so nobody is asked")

        # Relies on: token-status-code, wrong-secret-code, token-jwt-lifetime
        asked = time.monotonic()
        answer = self._transport.send(
            "token",
            "POST",
            "/api/tokens",
            json={
                "client_id": self._settings.client_id,
                "client_secret": self._settings.client_secret,
            },
            within=within,
        )

        if answer.status in (400, 401, 403):
            _check_origin(answer)
            raise AuthenticationError(
                "Spayon refused CLIENT_ID and CLIENT_SECRET: compare them with the settings in the "
                "admin panel, of the same environment"
            )

        token, seconds = _read_token(answer)

        # It becomes a header: a line break in it would be another header.
        if not re.fullmatch(r"[!-~]+", token):
            raise UnexpectedAnswerError("Spayon's answer holds no usable access_token")

        # Counted from the question on, since the answer may have been on its way for long.
        return Token(token, max(seconds - (time.monotonic() - asked), 0.0))

    def create_session(
        self,
        order: Order,
        *,
        callback_url: str,
        return_url: str,
        cancel_url: str,
        attempt_id: str | None = None,
    ) -> PaymentSession:
        """Create a payment session for *order*: `POST /api/product/session`.

        If Spayon refuses the creation, Spayon is asked once more with *attempt_id* as the order id,
        if that is given, and then once more without a language.
        """
        # Relies on: creation-status-code, used-order-id
        links = {"callback_url": callback_url, "return_url": return_url, "cancel_url": cancel_url}
        body = session_body(order, self._settings)
        body |= {name: ascii_url(url) for name, url in links.items()}
        answer = self._send("create", "POST", "/api/product/session", json=body)

        # The order id was sent before, and Spayon may take each only once.
        if answer.status in _REFUSED and attempt_id not in (None, order.order_id):
            logger.info("creation refused, asking with another order id", extra={"call": "create"})
            body["order_id"] = attempt_id
            answer = self._send("create", "POST", "/api/product/session", json=body)

        # Which codes Spayon knows is unknown, and a payment page in another language is better than
        # none.
        if answer.status in _REFUSED and body.pop("language", None) is not None:
            logger.info("creation refused, asking without a language", extra={"call": "create"})
            answer = self._send("create", "POST", "/api/product/session", json=body)

        if answer.status not in (200, 201):
            _check_origin(answer)
            raise RequestRefusedError(
                f"Spayon refused to create a payment session (HTTP {answer.status}): check the "
                "order's fields and the shop's URLs",
                status_code=answer.status,
            )

        return read_session(answer.json_object(), https_only=self._settings.production)

    def get_session(self, session_id: str, *, within: float | None = None) -> Report:
        """Ask what became of a payment session: `GET /api/product/session/{session_id}`.

        The answer is waited for *within* seconds at most, a token included; TIMEOUT counts by
        default. Raises `SessionNotFoundError` if Spayon does not know it.
        """
        # Relies on: unknown-session-code, malformed-session-code, api-without-version
        path = f"/api/product/session/{quote(session_id, safe='')}"
        answer = self._send("status", "GET", path, within=within)

        if answer.status == 404:  # noqa: PLR2004  an HTTP status
            raise SessionNotFoundError("Spayon does not know this payment session")

        if answer.status != 200:  # noqa: PLR2004  an HTTP status
            _check_origin(answer)
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

    def _send(
        self, call: str, method: str, path: str, json: Any = None, within: float | None = None
    ) -> Answer:
        """Send with a token; if the token is refused, once more with a new one."""
        # Relies on: wrong-token-code, old-tokens
        ends = None if within is None else time.monotonic() + within

        for _ in range(2):
            token = self.tokens.get(within=_left(ends))
            answer = self._transport.send(
                call, method, path, json=json, token=token, within=_left(ends)
            )

            if answer.status != 401:  # noqa: PLR2004  an HTTP status
                return answer

            logger.info("token refused, asking for another", extra={"call": call})
            self.tokens.drop(token)

        _check_origin(answer)
        raise AuthenticationError("Spayon refused a token that it had just given out")


def _left(ends: float | None) -> float | None:
    """Return the seconds that are left until *ends*, a moment of the monotonic clock."""
    return None if ends is None else max(ends - time.monotonic(), 0.001)


def _check_origin(answer: Answer) -> None:
    """Raise `UnexpectedAnswerError` if a refusal does not come from an API.

    The firewall of the shop's own hosts answers so: it tells nothing of our credentials.
    """
    if answer.is_page:
        raise UnexpectedAnswerError(
            f"something on the way to Spayon answers with a web page (HTTP {answer.status}): "
            "a firewall or a proxy, perhaps"
        )


def _read_token(answer: Answer) -> tuple[Hidden, float]:
    """Return the token, "" if there is none, and the seconds that it lives."""
    # Relies on: token-expires-in
    data = answer.json_object()
    token = data.get("access_token")
    return Hidden(token if isinstance(token, str) else ""), _seconds(data.get("expires_in"))


def _seconds(value: object) -> float:
    # Relies on: token-expires-in, token-lifetime
    # A life that makes no sense stops no checkout: a token that is refused is replaced anyway.
    with suppress(TypeError, ValueError, OverflowError):
        if not isinstance(value, bool) and 0 < (seconds := float(value)) < math.inf:  # type: ignore[arg-type]  # what is suppressed
            return min(seconds, _LONGEST_LIFE)

    return TOKEN_SECONDS
