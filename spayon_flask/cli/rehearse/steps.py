"""Steps: what a rehearsal asks by itself, without a payer, money or a public address."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4

from ...rehearsals import REHEARSAL
from .gateway import Asked
from .gateway import Gateway
from .gateway import StoppedError
from .gateway import jwt_seconds
from .gateway import names
from .gateway import session_of


#: What a step has found out: JSON without secrets, which a killed rehearsal goes on from.
Facts = dict[str, Any]

#: Fields that Spayon may insist on, with values of a rehearsal.
OPTIONAL: Mapping[str, Any] = {
    "email": "rehearsal@example.com",
    "username": "rehearsal",
    "full_name": "A Rehearsal",
    "language": "en",
    "availablePaymentMethods": ["visamaster"],
    "defaultPaymentMethod": "visamaster",
}

#: The keys that a report has by the documentation.
REPORT_KEYS = (
    "sessionId",
    "status",
    "productName",
    "price",
    "currency",
    "createdAt",
    "updatedAt",
    "orderId",
)

PRODUCT: Mapping[str, Any] = {"product_name": "Rehearsal", "price": 1000, "currency": "amd"}

#: What is changed in a creation that is refused, until one is accepted.
_BASES: tuple[dict[str, Any], ...] = (
    {},
    {"currency": "AMD"},
    {"language": "ru"},
    {"language": None},
    {"availablePaymentMethods": None, "defaultPaymentMethod": None},
)

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@dataclass(frozen=True)
class Step:
    """One question: its *name*, what it does in words, and how many sessions it creates."""

    name: str
    says: str
    ask: Callable[[Alone], Facts]
    sessions: int = 0


class Alone:
    """The questions that a rehearsal asks by itself; *links* are the URLs that sessions name.

    *known* are the facts of the steps before. *once* is given the name of a part of a step and asks
    for it, unless that was done before the rehearsal was stopped.
    """

    def __init__(
        self,
        gateway: Gateway,
        links: Mapping[str, str],
        known: Mapping[str, Facts],
        once: Callable[[str, Callable[[], Facts]], Facts],
    ) -> None:
        self._gateway = gateway
        self._links = links
        self._known = known
        self._once = once

    def token(self) -> Facts:
        """Buy a token."""
        asked = self._gateway.buy_token()

        if asked.token is None:
            raise StoppedError(
                f"Spayon gave no token (HTTP {asked.status}): compare CLIENT_ID and CLIENT_SECRET "
                "with the settings in the admin panel, of the same environment"
            )

        return {
            "status": asked.status,
            "keys": asked.keys,
            "expires_in": _kind(asked.data.get("expires_in")),
            "lifetime": _seconds(asked.data.get("expires_in")),
            "jwt_lifetime": jwt_seconds(asked.token),
        }

    def wrong_secret(self) -> Facts:
        """Try to buy a token with a wrong secret, once."""
        return {"status": self._gateway.buy_token(wrong_secret=True).status}

    def old_token(self) -> Facts:
        """Buy a second token, and use the first one."""
        first = self._gateway.buy_token().token
        self._gateway.buy_token()
        asked = self._gateway.status(str(uuid4()), token=first)
        wrong = self._gateway.status(str(uuid4()), token="a-token-that-is-none")  # noqa: S106  that is the question
        return {"lives": asked.status != wrong.status, "wrong_token": wrong.status}

    def creation(self) -> Facts:
        """Create a session with every field; if it is refused, find a body that is not."""
        for number, base in enumerate(_BASES):
            found = self._once(f"creation-{number + 1}", partial(self._try_base, base))

            if found["session_id"] is not None:
                return {**found, "base": base}

        raise StoppedError(
            f"Spayon refused to create a payment session (HTTP {found['status']}): this rehearsal "
            "cannot go on without one"
        )

    def _try_base(self, base: Mapping[str, Any]) -> Facts:
        order_id = f"{REHEARSAL}{secrets.token_hex(6)}"
        asked = self._gateway.create(self._body(base, order_id=order_id))
        return {
            "status": asked.status,
            "keys": asked.keys if asked.accepted else [],
            "session_id": session_of(asked) if asked.accepted else None,
            "order_id": order_id,
        }

    def used_order(self) -> Facts:
        """Create one more for the same order id."""
        known = self._known["creation"]
        asked = self._create(order_id=known["order_id"])
        is_same = asked.accepted and session_of(asked) == known["session_id"]
        return {"status": asked.status, "accepted": asked.accepted, "same_session": is_same}

    def minimal(self) -> Facts:
        """Create one with a product alone; if it is refused, find out what it lacks."""
        base = self._known["creation"]["base"]
        product = {**PRODUCT, "currency": base.get("currency", PRODUCT["currency"])}
        alone = self._once("product-alone", lambda: self._accepted(product))
        required = []

        if not alone["accepted"]:
            for name in (*self._links, *OPTIONAL, "order_id"):
                found = self._once(f"without-{name}", partial(self._without, name))
                required += [] if found["accepted"] else [name]

        return {"accepted": alone["accepted"], "required": required}

    def _without(self, name: str) -> Facts:
        # Spayon may want a default to be one of the methods: without them it goes as well.
        left_out = {name, "defaultPaymentMethod"} if name == "availablePaymentMethods" else {name}
        return self._accepted(
            {key: value for key, value in self._body().items() if key not in left_out}
        )

    def _accepted(self, body: Mapping[str, Any]) -> Facts:
        return {"accepted": self._gateway.odd(lambda: self._gateway.create(body)).accepted}

    def status(self) -> Facts:
        """Ask how the session stands."""
        known = self._known["creation"]
        asked = self._gateway.status(known["session_id"])
        return {"code": asked.status, **report_facts(asked.data, known["order_id"], "1000")}

    def unknown_session(self) -> Facts:
        """Ask about a session that nobody has created."""
        return {"status": self._gateway.status(str(uuid4())).status}

    def malformed_session(self) -> Facts:
        """Ask about an id that is none."""
        return {"status": self._gateway.odd(lambda: self._gateway.status("no-id")).status}

    def changed(self, **changes: Any) -> Facts:
        """Create a session with *changes*."""
        return self._tried(**changes)

    def _tried(self, **changes: Any) -> Facts:
        asked = self._create(**changes)
        return {"status": asked.status, "accepted": asked.accepted}

    def _create(self, **changes: Any) -> Asked:
        body = self._body(**changes)
        return self._gateway.odd(lambda: self._gateway.create(body))

    def _body(self, base: Mapping[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
        """Return a body with every field, changed as *base* and then as *changes* say."""
        order_id = f"{REHEARSAL}{secrets.token_hex(6)}"
        known = self._known.get("creation", {}).get("base", {}) if base is None else base
        body = {**PRODUCT, **OPTIONAL, **self._links, "order_id": order_id, **known, **changes}
        return {name: value for name, value in body.items() if value is not None}


def _change(name: str, says: str, **changes: Any) -> Step:
    return Step(name, says, lambda alone: alone.changed(**changes), 1)


#: All of it, in order; a session that is created is never paid and expires after 15 minutes.
STEPS: tuple[Step, ...] = (
    Step("token", "buy a token", Alone.token),
    Step("wrong-secret", "try to buy one with a wrong secret, once", Alone.wrong_secret),
    Step("old-token", "buy two, use the first one, and one that is none", Alone.old_token),
    Step("creation", "create a payment session with every field", Alone.creation, 1),
    Step("status", "ask how it stands", Alone.status),
    Step("unknown-session", "ask about a session that nobody created", Alone.unknown_session),
    Step("malformed-session", "ask about an id that is none", Alone.malformed_session),
    Step("used-order", "create one for an order id used before", Alone.used_order, 1),
    Step(
        "minimal",
        "create one with a product alone; if refused, leave out each other field in turn",
        Alone.minimal,
        11,
    ),
    _change("decimal-price", "create one at a price of 10.5", price=10.5),
    _change("lower-case-currency", "create one with the currency amd", currency="amd"),
    _change("upper-case-currency", "create one with the currency AMD", currency="AMD"),
    _change("language-hy", "create one in the language hy", language="hy"),
    _change("language-ru", "create one in the language ru", language="ru"),
    _change("language-en", "create one in the language en", language="en"),
    _change(
        "unknown-payment-method",
        "create one with a payment method that does not exist",
        availablePaymentMethods=["no-such-method"],
        defaultPaymentMethod="no-such-method",
    ),
    _change("long-product-name", "create one with a name of 255 letters", product_name="R" * 255),
)


def report_facts(data: Mapping[str, Any], order_id: str, price: str) -> Facts:
    """Return what can be said of a report without repeating anything that it holds.

    *order_id* and *price*, a whole one, are what the session was created with.
    """
    told, currency, created = data.get("price"), data.get("currency"), data.get("createdAt")
    status = data.get("status")
    return {
        "keys": names(data),
        "missing": [key for key in REPORT_KEYS if key not in data],
        "status": status if status in ("pending", "paid", "failed", "expired") else "another word",
        "price_type": "text" if isinstance(told, str) else "number",
        "price": "padded" if str(told).startswith(f"{price}.") else "short",
        "currency": "lower" if isinstance(currency, str) and currency.islower() else "upper",
        "order_id": str(data.get("orderId")) == order_id,
        "times": "iso" if isinstance(created, str) and _TIME.fullmatch(created) else "other",
        "declines": _decline_keys(data.get("declineReasons")),
    }


def _decline_keys(value: object) -> list[str]:
    first = value[0] if isinstance(value, list) and value else {}
    return sorted(names(first)) if isinstance(first, dict) else []


def _kind(value: object) -> str:
    if value is None:
        return "missing"

    return "text" if isinstance(value, str) else "number"


def _seconds(value: object) -> float | None:
    try:
        return float(str(value))

    except ValueError:
        return None
