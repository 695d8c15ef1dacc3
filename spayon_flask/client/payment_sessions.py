"""Payment sessions: the body that creates one, and the answer that names it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests

from ..domain.orders import Order, check_id, is_link
from ..domain.redaction import Hidden
from ..errors import ConfigError, OrderError, UnexpectedAnswerError
from ..settings import Settings


class PaymentSession(NamedTuple):
    """Spayon's hosted checkout: its identity, and where the payer is sent."""

    session_id: str
    session_url: str


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
