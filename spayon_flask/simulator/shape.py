"""Shape: how the gateway behaves if Spayon's documentation leaves it open, and what it says then.

Every assumption about the real gateway that the simulator makes on its own account is a field of
`Shape`, and stands nowhere else. `SWITCHES` says what each field may be.
"""

import base64
import hmac
import json
import re
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from .creation import REFUSABLE, REQUIRABLE
from .sessions import PaymentSession, timestamp

#: The two key orders of the documented example callbacks.
ORDERS = {
    "session": (
        "sessionId", "status", "productName", "price", "currency", "createdAt", "updatedAt",
        "orderId", "declineReasons",
    ),
    "status": (
        "status", "price", "orderId", "currency", "sessionId", "createdAt", "updatedAt",
        "productName", "declineReasons",
    ),
}  # fmt: skip

#: A header or a query parameter: a name without spaces.
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True)
class Switch:
    """What one field of a `Shape` may be: one of *values*, or a number, a name or a list.

    *low* and *high* bound a number; *named* asks for a name (`X-Signature`), "" if *empty* is
    allowed; *several* asks for a list, each of *values*.
    """

    label: str
    values: tuple[Any, ...] = ()
    low: float | None = None
    high: float | None = None
    named: bool = False
    empty: bool = False
    several: bool = False

    @property
    def number(self) -> bool:
        """Return True if the field is a number between *low* and *high*."""
        return self.low is not None

    def read(self, name: str, value: Any) -> Any:
        """Return *value* as the field keeps it; a `ValueError` says what it may be."""
        if self.several:
            return self._several(name, value)

        if self.number:
            return self._number(name, value)

        if self.named:
            if isinstance(value, str) and (NAME.fullmatch(value) or (self.empty and not value)):
                return value

            raise ValueError(f"{name} must be a name such as X-Signature, not {value!r}")

        # By their text, because a form sends 201 as "201"; but True is not 1.
        for allowed in self.values:
            if type(value) in {type(allowed), str} and str(value) == str(allowed):
                return allowed

        raise ValueError(f"{name} must be one of {', '.join(map(str, self.values))}, not {value!r}")

    def _number(self, name: str, value: Any) -> float | int:
        try:
            found = float(value)
        except (TypeError, ValueError, OverflowError):
            found = -1.0

        low, high = self.low or 0, self.high or 0
        if isinstance(value, bool) or not low <= found <= high:
            raise ValueError(f"{name} must be a number from {low:g} to {high:g}, not {value!r}")

        return int(found) if found == int(found) else found

    def _several(self, name: str, value: Any) -> tuple[str, ...]:
        found = value.replace(",", " ").split() if isinstance(value, str) else value
        if not isinstance(found, list | tuple) or any(each not in self.values for each in found):
            raise ValueError(
                f"{name} must be a list of {', '.join(map(str, self.values))}, not {value!r}"
            )

        return tuple(found)


#: What each field of a `Shape` may be, in the order in which the inspector shows them.
SWITCHES: dict[str, Switch] = {
    "token_code": Switch("Code of a token answer", (200, 201)),
    "token_lifetime": Switch("Seconds that a token lives", low=1, high=86400),
    "expires_in": Switch("expires_in of a token", ("number", "text", "missing")),
    "jwt_lifetime": Switch("The end that a token itself names", ("as expires_in", "half")),
    "old_tokens": Switch("An old token, once a new one was bought", ("live on", "die")),
    "wrong_secret_code": Switch("Code for wrong credentials", (401, 400, 403)),
    "wrong_token_code": Switch("Code for a wrong or expired token", (401, 400, 403)),
    "other_bodies": Switch("A body not sent as JSON in UTF-8", ("accepted", "refused")),
    "creation_code": Switch("Code of a create answer", (200, 201)),
    "creation_keys": Switch("Keys of a create answer", ("snake", "camel")),
    "required": Switch("Fields that a creation must have", REQUIRABLE, several=True),
    "used_order": Switch("An order id used before", ("accepted", "refused", "the same session")),
    "refused": Switch("A creation is refused for", REFUSABLE, several=True),
    "session_lifetime": Switch("Seconds that a session lives", low=1, high=86400),
    "unknown_session_code": Switch("Code for a session id that is unknown", (404, 400)),
    "malformed_session_code": Switch("Code for a session id that is none", (404, 400)),
    "fresh_status": Switch("Status of a session that nobody has paid yet", ("pending", "created")),
    "status_answer": Switch("A status answer", ("as the callback", "with a key more")),
    "return_parameter": Switch("Parameter added to return_url", named=True, empty=True),
    "cancel_parameter": Switch("Parameter added to cancel_url", named=True, empty=True),
    "back": Switch("A payer who clicks back", ("keeps the session", "ends the session")),
    "payer_returns": Switch("A payer who has paid returns", ("at once", "after the callback")),
    "fails": Switch("A session fails", ("when given up", "at the first decline")),
    "declines": Switch("declineReasons of a failure", ("as documented", "missing")),
    "left_out": Switch(
        "What reports lack", ("nothing is missing", "productName", "createdAt", "updatedAt")
    ),
    "order_id": Switch("orderId in reports", ("as sent", "changed")),
    "times": Switch("Times in reports", ("iso", "seconds")),
    "price": Switch("Price in reports", ("short", "padded")),
    "price_type": Switch("Type of a price", ("text", "number")),
    "currency": Switch("Currency in reports", ("upper", "lower")),
    "key_order": Switch("First key of reports", ("session", "status")),
    "signature_header": Switch("Header of the signature", named=True),
    "signature": Switch("Writing of the signature", ("hex", "upper", "base64")),
    "content_type": Switch("Content-Type of a callback", ("application/json", "text/plain")),
    "attempts": Switch("Attempts to deliver a callback", low=1, high=20),
    "spacing": Switch("Seconds between two attempts", low=0, high=86400),
    "patience": Switch("Seconds that a shop has to answer", low=0.1, high=600),
    "delivered_by": Switch("A callback counts as delivered by", ("200", "any 2xx")),
}


@dataclass
class Shape:
    """What the gateway is assumed to do; `change` takes other assumptions over.

    The first value of each field is what a test meets if it asks for nothing. It is the documented
    one if there is one.
    """

    #: The status code of a token answer. Documented: 200.
    token_code: int = 200
    #: Documented: 3600 seconds.
    token_lifetime: float = 3600
    #: `number`, as documented; `text` for "3600"; `missing` leaves the field out.
    expires_in: str = "number"
    #: `as expires_in`, or `half` of that: the claim `exp`. Not documented.
    jwt_lifetime: str = "as expires_in"
    old_tokens: str = "live on"
    #: The status code for a wrong id or secret. Documented: 401.
    wrong_secret_code: int = 401
    #: Documented: 401.
    wrong_token_code: int = 401
    #: Documented is JSON alone; whether anything else is refused is not.
    other_bodies: str = "accepted"
    #: The status code of an answer to a creation, 200 or 201. Not documented.
    creation_code: int = 200
    #: `snake` for `session_id` and `session_url`, `camel` for `sessionId` and `sessionUrl`.
    creation_keys: str = "snake"
    #: Fields without which a creation is refused, beside the product. Not documented.
    required: tuple[str, ...] = ()
    #: `accepted`; `refused`; or `the same session` is the answer. Not documented.
    used_order: str = "accepted"
    #: For what a creation is refused that could be taken. Not documented.
    refused: tuple[str, ...] = ()
    #: Documented: 15 minutes.
    session_lifetime: float = 900
    #: Documented: 404.
    unknown_session_code: int = 404
    malformed_session_code: int = 404
    #: Documented: `pending`.
    fresh_status: str = "pending"
    #: Documented: both say the same.
    status_answer: str = "as the callback"
    #: Documented: `session_id`. Empty: nothing is added.
    return_parameter: str = "session_id"
    #: Not documented. Empty: nothing is added.
    cancel_parameter: str = ""
    #: Documented: a session stays payable.
    back: str = "keeps the session"
    #: Documented: a callback may come before or after.
    payer_returns: str = "at once"
    #: When a session becomes `failed` is not documented.
    fails: str = "when given up"
    #: Documented: one entry for each declined attempt.
    declines: str = "as documented"
    #: A key that reports do not have. Documented: none.
    left_out: str = "nothing is missing"
    #: Documented: it comes back as it was sent.
    order_id: str = "as sent"
    #: `iso`, as documented: with milliseconds. `seconds` since 1970.
    times: str = "iso"
    #: `short` for "10" and "10.5", `padded` for "10.00": both are in the documented examples.
    price: str = "short"
    #: `text`, as documented, or `number`.
    price_type: str = "text"
    #: `upper`, as documented, or `lower`.
    currency: str = "upper"
    #: The key order of reports: `session` comes first, or `status` does. Both are documented.
    key_order: str = "session"
    signature_header: str = "X-Signature"
    #: `hex`, as documented: the lower-case hex HMAC-SHA256 of the exact raw body.
    signature: str = "hex"
    content_type: str = "application/json"
    attempts: int = 3
    #: Documented: 5 minutes apart.
    spacing: float = 300
    #: How long Spayon waits for a shop is not documented.
    patience: float = 10
    #: `200`, as documented, or `any 2xx`.
    delivered_by: str = "200"

    def change(self, **choices: object) -> None:
        """Take *choices* over; a `ValueError` names what can be chosen instead."""
        read = {}
        for name, value in choices.items():
            if name not in SWITCHES:
                raise ValueError(f"there is no shape {name!r}; there are {', '.join(SWITCHES)}")

            read[name] = SWITCHES[name].read(name, value)

        for name, value in read.items():
            setattr(self, name, value)

    def differences(self) -> dict[str, Any]:
        """Return the fields that are not as by default, as JSON has them."""
        default = asdict(Shape())
        return {name: value for name, value in asdict(self).items() if value != default[name]}

    def delivered(self, status_code: int | None) -> bool:
        """Return True if the gateway takes a callback as delivered by this answer of a shop."""
        if self.delivered_by == "any 2xx":
            return status_code is not None and 200 <= status_code < 300  # noqa: PLR2004  HTTP

        return status_code == 200  # noqa: PLR2004  an HTTP status

    def report(self, session: PaymentSession, **changes: Any) -> bytes:
        """Return the exact bytes that describe *session*, with *changes* made to its fields."""
        fields: dict[str, Any] = {
            "sessionId": session.id,
            "status": session.status,
            "productName": session.creation.product_name,
            "price": self._price(session.creation.price),
            "currency": session.creation.currency,
            "createdAt": self._time(session.created_at),
            "updatedAt": self._time(session.updated_at),
        }
        fields.pop(self.left_out, None)
        if self.currency == "lower":
            fields["currency"] = fields["currency"].lower()

        if session.order_id is not None:
            changed = self.order_id == "changed"
            fields["orderId"] = f"V-{session.order_id}" if changed else session.order_id

        fields |= changes
        if fields["status"] == "failed" and self.declines == "as documented":
            fields.setdefault("declineReasons", [each.told for each in session.declines])

        order = [key for key in ORDERS[self.key_order] if key in fields]
        order += [key for key in fields if key not in order]
        body = {key: fields[key] for key in order}
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()

    def sign(self, body: bytes, secret: str) -> str:
        """Return the signature of *body*, keyed with *secret*.

        It is computed here and shared with nothing else: a shop's side with code in common could
        err in the same way, and nobody would notice.
        """
        digest = hmac.digest(secret.encode(), body, "sha256")
        if self.signature == "base64":
            return base64.b64encode(digest).decode()

        return digest.hex().upper() if self.signature == "upper" else digest.hex()

    def _time(self, moment: datetime) -> str | int:
        return timestamp(moment) if self.times == "iso" else int(moment.timestamp())

    def _price(self, price: Decimal) -> str | float | int:
        written = f"{price.normalize():f}"
        if self.price == "padded":
            whole, _, cents = written.partition(".")
            written = f"{whole}.{cents.ljust(2, '0')}"

        if self.price_type == "text":
            return written

        return float(written) if "." in written else int(written)
