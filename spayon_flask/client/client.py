"""Client: the three calls of the gateway's API, what is sent and what is read."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import requests

from ..domain.orders import Order, check_id, is_link
from ..domain.redaction import Hidden
from ..domain.reports import Report
from ..errors import (
    AuthenticationError,
    ConfigError,
    InvalidPayloadError,
    OrderError,
    RequestRefusedError,
    SessionNotFoundError,
    UnexpectedAnswerError,
)
from ..settings import Settings
from .connections import Exchange
from .tokens import Token, TokenService, read_token
from .transport import Answer, Transport

logger = logging.getLogger(__name__)

#: The answers to a creation that may be about one of its fields.
_REFUSED = (400, 409, 422)


class PaymentSession(NamedTuple):
    """Spayon's hosted checkout: its identity, and where the payer is sent."""

    session_id: str
    session_url: str


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

        # Counted from the question on, since the answer may have been on its way for long.
        return read_token(answer, took=time.monotonic() - asked)

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


def session_body(order: Order, settings: Settings) -> dict[str, Any]:
    """Return what Spayon is to be told of *order*, without the shop's URLs.

    Names and spelling of the fields are Spayon's (documentation, create session).
    """
    # Relies on: creation-required-fields, lower-case-currency, upper-case-currency, product-id,
    # language-hy, language-ru, language-en, unknown-payment-method, long-product-name
    language = order.language or settings.language
    methods = order.available_payment_methods or settings.available_payment_methods
    default = order.default_payment_method or settings.default_payment_method

    # The shop's usual choice may not be among what this very order offers.
    if methods is not None and default not in methods:
        default = None

    fields = {
        "product_id": order.product_id,
        "product_name": order.product_name,
        "price": None if order.price is None else _number(order.price),
        "currency": order.currency and order.currency.lower(),
        "email": order.email and Hidden(order.email),
        "username": order.username and Hidden(order.username),
        "full_name": order.full_name and Hidden(order.full_name),
        "order_id": order.order_id,
        "defaultPaymentMethod": default,
        "availablePaymentMethods": None if methods is None else list(methods),
        "language": language and settings.language_codes.get(language, language),
    }
    return {name: value for name, value in fields.items() if value is not None}


def ascii_url(url: str) -> str:
    """Return *url* in ASCII, as it goes over a wire: its host in Punycode, its path in percents.

    Raises `ConfigError` if that cannot be done.
    """
    # Relies on: urls-in-ascii
    try:
        return str(requests.Request("GET", url).prepare().url)

    except requests.RequestException:
        raise ConfigError(f"PUBLIC_URL makes a URL that nobody can call: {url}") from None


def read_session(data: Mapping[str, Any], *, https_only: bool) -> PaymentSession:
    """Read Spayon's answer, in either spelling of its keys; raises `UnexpectedAnswerError`."""
    # Relies on: creation-keys, session-url-https
    session_id = data.get("session_id", data.get("sessionId"))
    session_url = data.get("session_url", data.get("sessionUrl"))

    try:
        check_id("session_id", session_id)

    except OrderError as error:
        raise UnexpectedAnswerError(f"Spayon's answer is unusable: {error}") from None

    schemes = ("https",) if https_only else ("http", "https")
    return PaymentSession(str(session_id), _check_url(session_url, schemes))


def _check_url(url: object, schemes: tuple[str, ...]) -> str:
    text = url if isinstance(url, str) and is_link(url) else ""

    try:
        parts = urlsplit(text)
        # A port beyond 65535 raises, as half a bracket does.
        is_address = parts.hostname and not parts.username and parts.port != 0

    except ValueError:
        is_address = False

    if not is_address or parts.scheme not in schemes or " " in text or "\\" in text:
        raise UnexpectedAnswerError(
            "Spayon's answer holds no usable session_url: it must be an address that begins with "
            + " or ".join(f"{scheme}://" for scheme in schemes)
        )

    return text


def _number(price: Decimal) -> int | float:
    # Relies on: decimal-price
    # Exact: at most 15 digits survive a 64-bit float, and its repr is the shortest that does.
    return int(price) if price == price.to_integral_value() else float(price)
