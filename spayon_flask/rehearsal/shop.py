"""Shop: what a shop would send, and do with what Spayon says, by the package's own functions."""

from __future__ import annotations

import hmac
import json
import secrets
from base64 import b64encode
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from ..client.client import read_session, session_body
from ..domain.money import plain
from ..domain.orders import Order
from ..domain.reports import Report
from ..domain.signing import verify
from ..domain.transitions import REPORTED, decide
from ..errors import (
    GatewayError,
    InvalidPayloadError,
    InvalidSignatureError,
    RequestRefusedError,
    UnexpectedAnswerError,
)
from ..settings import Settings
from .receiver import Came
from .wire import SESSIONS, Call, Wire

_MAX_BODY = 64 * 1024

PRICE, CURRENCY = Decimal(1000), "AMD"

#: What a checkout page asks the payer for.
TYPED: Mapping[str, str] = {"email": "rehearsal@example.com", "full_name": "A Rehearsal"}

#: What a shop may send beside that.
EXTRAS: Mapping[str, Any] = {
    "username": "rehearsal",
    "availablePaymentMethods": ["visamaster"],
    "defaultPaymentMethod": "visamaster",
}


#: What is added to a creation that was refused, until one is accepted.
_BASES: tuple[Mapping[str, Any], ...] = (EXTRAS, {"currency": "AMD"})


class Attempt(NamedTuple):
    """A payment as a shop's table would have it, waiting for what Spayon says."""

    order_id: str
    price: Decimal | None
    currency: str | None
    session_id: str = ""
    product_id: int | None = None
    status: str = "pending"
    reference: str = "rehearsal"
    superseded: bool = False


class Outcome(NamedTuple):
    """What a shop would do: its *answer* to a callback, the payment's *status* then, and why."""

    answer: int
    status: str
    why: str

    @property
    def in_words(self) -> str:
        """Return the outcome in one line."""
        done = "record it" if self.answer == 200 else f"refuse it with {self.answer}"  # noqa: PLR2004  HTTP
        return f"the shop would {done}, and the payment be {self.status}: {self.why}"


class Shop:
    """Create payment sessions over *wire*, as a shop does, that lead to *links*.

    *base* is what has to be added to a body, so that Spayon accepts it.
    """

    def __init__(self, wire: Wire, links: Mapping[str, str]) -> None:
        self._wire = wire
        self.links = links
        self.base: dict[str, Any] = {}

    @property
    def always_sent(self) -> set[str]:
        """Return the optional fields that every creation of a shop has."""
        settings = self._wire.settings
        typed = TYPED if settings.ask_details else {}
        chosen = {
            "availablePaymentMethods": settings.available_payment_methods,
            "defaultPaymentMethod": settings.default_payment_method,
        }
        has = {name for name, value in chosen.items() if value is not None}
        return {*self.links, *typed, *has, "order_id", "language"}

    def order(self, **changes: Any) -> Order:
        """Return an order that nobody has paid."""
        product = {"product_name": "Rehearsal", "price": PRICE, "currency": CURRENCY}
        fields = {"order_id": new_order_id(), "language": "en"}
        return Order(**{**product, **fields, **TYPED, **changes})

    def attempt(self, order: Order, session_id: str) -> Attempt:
        """Return the payment that a shop would have of *order*."""
        return Attempt(order.order_id, order.price, order.currency, session_id, order.product_id)

    def body(self, order: Order | None = None, **changes: Any) -> dict[str, Any]:
        """Return the body of a creation as the package makes it; a change to None leaves out."""
        made = session_body(order or self.order(), self._wire.settings)
        made |= {**self.links, **self.base, **changes}
        return {name: value for name, value in made.items() if value is not None}

    def ask(self, body: Mapping[str, Any]) -> Call:
        """Ask for a session with just this *body*."""
        return self._wire.ask_with_token("POST", SESSIONS, body)

    def sells(self, **changes: Any) -> bool:
        """Return True if a creation with *changes* is accepted."""
        return self.ask(self.body(**changes)).accepted

    def takes(self, body: Mapping[str, Any]) -> bool:
        """Return True if *body* is accepted, with a fresh order id if it has one."""
        fresh = {"order_id": new_order_id()} if "order_id" in body else {}
        return self.ask({**body, **fresh}).accepted

    def find_base(self, order: Order, error: GatewayError) -> str:
        """Return the session of the first creation that is accepted with something added.

        Raises *error* again if there is none.
        """
        for base in _BASES:
            call = self.ask(self.body(order, **base))

            if call.accepted and id_of(call):
                self.base = dict(base)
                return id_of(call)

        raise error

    def required_fields(self) -> list[str]:
        """Return the optional fields without which a creation is refused."""
        whole = self.body(**EXTRAS) | self.base
        product = {name: whole[name] for name in ("product_name", "price", "currency")}
        required: list[str] = []

        if not self.takes(product):
            if not self.takes(whole):
                whole = self.body()

            for name in sorted(whole.keys() - product.keys()):
                # Spayon may want a default to be one of the methods.
                gone = {name, "defaultPaymentMethod"} if name.startswith("available") else {name}
                body = {key: value for key, value in whole.items() if key not in gone}
                required += [] if self.takes(body) else [name]

        return required

    def create(self, order: Order, links: Mapping[str, str] | None = None) -> tuple[str, str]:
        """Return the id and the URL of a new session, created as a shop creates it.

        Raises a `GatewayError` if a shop could not use Spayon's answer.
        """
        if not self.base:
            made = self._wire.client.create_session(order, **(links or self.links))
            return made.session_id, made.session_url

        call = self.ask(self.body(order, **(links or {})))
        made = read_session(read(call), https_only=self._wire.settings.production)
        return made.session_id, made.session_url


def new_order_id() -> str:
    """Return an order id that no order has."""
    return f"rehearsal-{secrets.token_hex(6)}"


def read(call: Call) -> Mapping[str, Any]:
    """Return the JSON object in the answer to a creation; raises a `GatewayError`."""
    if not call.accepted:
        raise RequestRefusedError(f"Spayon refused to create a payment session ({call.status})")

    if not call.data:
        raise UnexpectedAnswerError("Spayon's answer is not the documented JSON object")

    return call.data


def id_of(call: Call) -> str:
    """Return the id of the session in the answer to a creation, "" if it has none."""
    found = call.data.get("session_id", call.data.get("sessionId"))
    return found if isinstance(found, str) else ""


def on_callback(came: Came, attempt: Attempt, settings: Settings) -> Outcome:
    """Return what a shop with *settings* would do with a callback about *attempt*."""
    if came.method != "POST":
        return Outcome(405, attempt.status, f"it came as {came.method}, not as POST")

    if len(came.body) > _MAX_BODY:
        return Outcome(413, attempt.status, "the body is larger than 64 KiB")

    try:
        signature = came.headers.get("x-signature", "")
        verify(came.body, signature, settings.callback_secrets)

    except InvalidSignatureError:
        header, form = signed_how(came, settings)
        why = f"its signature does not verify: {form}" + (f", in {header}" if header else "")
        return Outcome(401, attempt.status, why)

    try:
        report = Report.from_json(came.body)

    except InvalidPayloadError as error:
        return Outcome(400, attempt.status, str(error))

    return on_report(report, attempt)


def on_report(report: Report, attempt: Attempt) -> Outcome:
    """Return what a shop would do with *report*, a callback that verifies or a status answer."""
    if report.session_id != attempt.session_id:
        return Outcome(200, attempt.status, "it is about a session that the shop does not know")

    if report.status not in REPORTED:
        return Outcome(200, attempt.status, "its status is a word that nobody knows")

    found = decide(attempt, report)

    if found.review is None:
        return Outcome(200, found.status or attempt.status, f"Spayon says {report.status}")

    asked = f"{_price(attempt.price)} {attempt.currency} for {attempt.order_id}"
    told = f"{_price(report.price)} {report.currency} for {report.order_id}"
    return Outcome(200, "review", f"{found.review}; asked for {asked}, told {told}")


def _price(price: Decimal | None) -> str:
    return "no readable price" if price is None else plain(price)


def signed_how(came: Came, settings: Settings) -> tuple[str, str]:
    """Return the name of the header that signs *came*, "" if none does, and in which form."""
    keys = [(secret, "") for secret in settings.callback_secrets]
    keys.append((settings.client_secret, " by the client secret"))
    bodies = [(came.body, ""), (_encoded_anew(came.body), " over re-encoded JSON")]
    known: dict[str, str] = {}

    for body, what in bodies:
        for secret, whose in keys:
            digest = hmac.digest(secret.encode(), body, "sha256")
            known.setdefault(digest.hex(), f"hex{what}{whose}")
            known.setdefault(digest.hex().upper(), f"upper{what}{whose}")
            known.setdefault(b64encode(digest).decode(), f"base64{what}{whose}")

    for name, value in came.headers.items():
        for prefix in ("", "sha256="):
            if value.startswith(prefix) and (form := known.get(value.removeprefix(prefix).strip())):
                return name, f"{form} after {prefix}" if prefix else form

    # Most likely another secret, if the header is there.
    if came.headers.get("x-signature"):
        return "x-signature", "by another secret, or over other bytes"

    return "", "no header signs it"


def _encoded_anew(body: bytes) -> bytes:
    try:
        return json.dumps(json.loads(body)).encode()

    except (ValueError, RecursionError):
        return body
