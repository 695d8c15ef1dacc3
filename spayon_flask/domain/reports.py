"""Report: what Spayon told us of a payment session; to read and to write."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any, NamedTuple, NoReturn

from ..errors import InvalidPayloadError
from .money import plain, read_currency, read_price
from .orders import CONTROL_CHARACTERS, MAX_ID_LENGTH

#: The widest status that the table can hold; Spayon's own have at most 7 letters.
MAX_STATUS_LENGTH = 64

_MAX_DECLINES = 20

#: What is kept of each declined attempt, and how many letters of it. All of it together fits into
#: a text column of MariaDB, 64 KiB, in any alphabet.
_DECLINE = {"transactionId": 64, "responseCode": 64, "responseReasonEn": 500}

#: The decline of a failed payment (Spayon's documentation, callbacks).
DECLINE = {"transactionId": 161, "responseCode": "05", "responseReasonEn": "Do not honor"}


class Body(bytes):
    """The exact bytes of a report, which no repr, no text and no error report shows."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Body({len(self)} bytes)"

    __str__ = __sentry_repr__ = __repr__


class Report(NamedTuple):
    """One statement of Spayon about one payment session.

    *price* and *currency* are None if they are missing or unreadable; *has_price* and
    *has_currency* tell which. *updated_at* is when the status came about, in UTC, or None if it
    is missing or unreadable. *decline_reasons* has an entry for each declined attempt. *body* holds
    the exact bytes.
    """

    session_id: str
    status: str
    body: Body
    order_id: str | None = None
    price: Decimal | None = None
    has_price: bool = False
    currency: str | None = None
    has_currency: bool = False
    decline_reasons: tuple[dict[str, str], ...] = ()
    updated_at: datetime | None = None

    def __repr__(self) -> str:
        return f"Report(session_id={self.session_id!r}, status={self.status!r})"

    def __sentry_repr__(self) -> str:
        return repr(self)

    @classmethod
    def from_json(cls, body: bytes) -> Report:
        """Read *body*, a callback or the answer to a status check: both have the same shape.

        Raises `InvalidPayloadError` unless it is a JSON object with a usable `sessionId` and
        `status`. Other fields that make no sense are read as None; they never raise.
        """
        # Relies on: report-keys, key-order, callback-equals-status, order-id-echoed, no-event-id
        data = _parse(body)
        session_id = _usable(data, "sessionId", MAX_ID_LENGTH)
        status = _shorten(_usable(data, "status", len(body)))
        return cls(
            session_id=session_id,
            status=status,
            body=Body(body),
            order_id=_read_order_id(data.get("orderId")),
            price=read_price(data.get("price")),
            has_price=data.get("price") is not None,
            currency=read_currency(data.get("currency")),
            has_currency=data.get("currency") is not None,
            decline_reasons=_read_declines(data.get("declineReasons")),
            updated_at=_read_moment(data.get("updatedAt")),
        )


def read_stored(body: bytes | None) -> Report | None:
    """Return the report in the body of a callback row; None if the body was removed.

    The shop may have written something of its own in place of a body.
    """
    try:
        return Report.from_json(bytes(body)) if body else None

    except InvalidPayloadError:
        return None


def _parse(body: bytes) -> dict[str, Any]:
    try:
        # Some servers write a byte order mark first. The signature is made over it as well.
        data = _DECODER.decode(body.decode("utf-8-sig"))

    except InvalidPayloadError:
        raise

    except (ValueError, ArithmeticError, RecursionError):
        raise InvalidPayloadError("the body is not JSON in UTF-8") from None

    if not isinstance(data, dict):
        raise InvalidPayloadError("the body is JSON, but not an object")

    return data


def _read_int(text: str) -> int | Decimal:
    return int(text) if len(text) < 20 else Decimal(text)  # noqa: PLR2004  64 bits


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidPayloadError(f"{name} is not JSON")


def _read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Two values for one key mean two readers could see two different payments.
    data = dict(pairs)

    if len(data) != len(pairs):
        raise InvalidPayloadError("the body gives one key twice")

    return data


# Numbers stay decimals: a float would lose digits, and a huge int takes forever to read.
_DECODER = json.JSONDecoder(
    parse_float=Decimal,
    parse_int=_read_int,
    parse_constant=_refuse_constant,
    object_pairs_hook=_read_object,
)


def _usable(data: dict[str, Any], key: str, length: int) -> str:
    value = data.get(key)

    if not isinstance(value, str) or not 0 < len(value) <= length:
        raise InvalidPayloadError(f"{key} must be text of 1 to {length} characters")

    if re.search(CONTROL_CHARACTERS, value) or value != value.strip():
        raise InvalidPayloadError(f"{key} holds characters that no {key} has")

    return value


def _shorten(status: str) -> str:
    """Return *status* as the table can hold it; a shortened one is never a status that we know."""
    if len(status) <= MAX_STATUS_LENGTH:
        return status

    # The last character is no space: some databases take "paid  " for "paid".
    return status[: MAX_STATUS_LENGTH - 1] + "…"


def _read_order_id(value: object) -> str | None:
    """Return an order's id as text that no order has if it is not storable or too long."""
    if isinstance(value, bool):
        return None

    # Of a JSON number, exactly; a long one was kept as a decimal.
    if isinstance(value, int):
        value = str(value)

    elif isinstance(value, Decimal) and value.as_tuple().exponent == 0:
        value = format(value, "f")

    if not isinstance(value, str):
        return None

    # Without a sign in its place, what is left could be the id of an order.
    return storable(value, MAX_ID_LENGTH + 1, instead="\N{REPLACEMENT CHARACTER}")


def storable(text: str, length: int, *, instead: str = "") -> str:
    """Return *text*, cut, with *instead* for what a database, a page or a terminal cannot take."""
    return re.sub(CONTROL_CHARACTERS, instead, text[:length])


def _read_moment(value: object) -> datetime | None:
    """Return a moment in UTC, or None unless *value* is ISO 8601 with a zone, of this century."""
    if not isinstance(value, str):
        return None

    # Relies on: time-format
    # Python 3.10 does not read the Z of Spayon's times (documentation, callbacks).
    text = value[:-1] + "+00:00" if value.endswith("Z") else value

    try:
        local = datetime.fromisoformat(text)
        moment = local.astimezone(timezone.utc)

    except (ValueError, OverflowError):
        return None

    # Without a zone nobody knows which moment is meant. Not every database takes distant years.
    return moment if local.tzinfo and 2000 <= moment.year < 2100 else None  # noqa: PLR2004  years


def _read_declines(value: object) -> tuple[dict[str, str], ...]:
    """Keep the three documented fields of each entry, as text that any database and page takes."""
    # Relies on: decline-reasons
    entries = value if isinstance(value, list) else []
    return tuple(
        {
            key: storable(str(entry[key]), length)
            for key, length in _DECLINE.items()
            if isinstance(entry.get(key), str | int | Decimal)
        }
        for entry in entries[:_MAX_DECLINES]
        if isinstance(entry, dict)
    )


def write_callback(payment: Any, status: str, *, now: datetime, **changes: Any) -> bytes:
    """Return the body of a callback that reports *status* for *payment*, as of *now*.

    It has the documented fields, in the documented order, with the payment's own price, currency
    and order. *changes* replace fields under Spayon's names; a field that is None is left out.
    """
    # Relies on: report-keys, price-format, time-format
    fields = {
        "sessionId": payment.session_id,
        "status": status,
        "productName": payment.product_name,
        "price": None if payment.price is None else plain(payment.price),
        "currency": payment.currency,
        "createdAt": timestamp(payment.created_at),
        "updatedAt": timestamp(now),
        "orderId": payment.order_id,
        "declineReasons": [DECLINE] if status == "failed" else None,
    } | changes
    kept = {name: value for name, value in fields.items() if value is not None}
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode()


def timestamp(moment: datetime) -> str:
    """Write *moment* as Spayon does: ISO 8601 in UTC, with milliseconds."""
    moment = moment.astimezone(timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
