"""Exports: sums for the books, and payments as CSV, as spreadsheets of one language read it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any, NamedTuple

from .declines import translatable
from .languages import FORMATS, Language
from .money import plain

#: Spreadsheets take a file without it for one in another encoding.
BOM = "\ufeff"

#: A spreadsheet takes a text that begins with one of these for a formula, at the beginning of a
#: cell or behind a separator, whichever separator it was told to look for.
_FORMULA = re.compile(r"(^|[;,\t\r\n|])(?=\s*[=+@\-\t\r\uff1d\uff0b\uff0d\uff20])")

#: A spreadsheet takes an id of this kind for a number or a day, and writes it in another way.
_NUMBER = re.compile(r"[\d.,:/\s+-]*(\d[eE][+-]?)?[\d.,:/\s-]*|\d+[-/. ]?[A-Za-z]{3,9}[-/. ]?\d*")

#: Lines that are handed on at once.
_CHUNK = 200

#: How a payment stands, by its status.
STATUS_WORDS = {
    "paid": translatable("Paid"),
    "review": translatable("Under review"),
    "pending": translatable("In progress"),
    "failed": translatable("Failed"),
    "expired": translatable("Expired"),
}

HEAD = (
    translatable("Paid at (%(zone)s)"),
    translatable("Order"),
    translatable("Status"),
    translatable("Purchase"),
    translatable("Amount"),
    translatable("Currency"),
    translatable("Given back"),
    translatable("Left"),
    translatable("Amount asked for"),
    translatable("Currency asked for"),
    translatable("Payment session"),
    translatable("Reference"),
    translatable("Gateway"),
    translatable("Decided by"),
    translatable("Reason of the decision"),
    translatable("Refund noted at (%(zone)s)"),
    translatable("Refund noted by"),
    translatable("Reason of the refund"),
)


class Total(NamedTuple):
    """The payments of one *status* and *currency*: how many, and what Spayon took for them.

    Those without an amount that can be read stand apart, without a currency: *unreadable* of them
    were paid. *refunded* of the payments, with *refunded_amount*, are noted as given back.
    """

    status: str
    currency: str | None
    number: int
    amount: Decimal
    unreadable: int = 0
    refunded: int = 0
    refunded_amount: Decimal = Decimal(0)


class Grand(NamedTuple):
    """All payments of one *currency* that Spayon called paid: how many, and how much."""

    currency: str
    number: int
    amount: Decimal
    refunded: Decimal

    @property
    def left(self) -> Decimal:
        """What was not given back."""
        return self.amount - self.refunded


def grand_totals(totals: Sequence[Total]) -> list[Grand]:
    """Add up *totals* over every status."""
    found: dict[str, Grand] = {}

    for each in totals:
        if each.currency is not None:
            so_far = found.get(each.currency, Grand(each.currency, 0, Decimal(0), Decimal(0)))
            found[each.currency] = Grand(
                each.currency,
                so_far.number + each.number,
                so_far.amount + each.amount,
                so_far.refunded + each.refunded_amount,
            )

    return [found[currency] for currency in sorted(found)]


def amount_of(payment: Any) -> tuple[Decimal | None, str | None]:
    """Return what Spayon took for *payment*, and the currency.

    Both are None if Spayon took nothing, or if one of the two cannot be read: a sum needs both.
    """
    price, currency = payment.reported_price, payment.reported_currency
    return (None, None) if price is None or currency is None else (price, currency)


def status_word(payment: Any, language: Language) -> str:
    """Return in a word or two how *payment* stands."""
    _ = language.gettext

    if payment.status == "failed" and payment.reviewed_at is not None:
        return _("Refused")

    return _(STATUS_WORDS[payment.status])


def zone_name(language: Language) -> str:
    """Name the zone that times are told in."""
    return "UTC" if language.zone is None else str(language.zone)


def write_csv(payments: Iterable[Any], language: Language) -> Iterator[str]:
    """Yield the lines of a CSV file, some at a time, the first one with a byte order mark.

    Separator and decimal sign are those of *language*. An apostrophe stands where a spreadsheet
    would take a text for a formula, and before what it would take for a number or a day.
    """
    buffer = io.StringIO()
    decimal_point = FORMATS[language.code].decimal_point
    writer = csv.writer(buffer, delimiter=";" if decimal_point == "," else ",")
    buffer.write(BOM)
    writer.writerow(language.gettext(each, zone=zone_name(language)) for each in HEAD)

    for number, payment in enumerate(payments, 1):
        writer.writerow(_cells(payment, language, decimal_point))

        if number % _CHUNK == 0:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()

    yield buffer.getvalue()


def _cells(payment: Any, language: Language, decimal_point: str) -> tuple[str, ...]:
    amount, currency = amount_of(payment)

    def number(price: Decimal | None) -> str:
        return "" if price is None else plain(price).replace(".", decimal_point)

    def moment(value: datetime | None) -> str:
        zone = language.zone or timezone.utc
        return "" if value is None else f"{value.astimezone(zone):%Y-%m-%d %H:%M:%S}"

    return (
        moment(payment.paid_at),
        guarded(payment.order_id),
        status_word(payment, language),
        guarded(payment.product_name),
        number(amount),
        currency or "",
        number(payment.refunded_price),
        number(None if amount is None else amount - (payment.refunded_price or 0)),
        number(payment.price),
        payment.currency or "",
        guarded(payment.session_id),
        guarded(payment.reference),
        guarded(payment.gateway),
        guarded(payment.reviewed_by),
        guarded(payment.reviewed_because),
        moment(payment.refunded_at),
        guarded(payment.refunded_by),
        guarded(payment.refunded_because),
    )


def guarded(text: str | None) -> str:
    """Return *text* so that no spreadsheet computes it, or takes it for a number."""
    text = _FORMULA.sub(r"\1'", text or "")
    return f"'{text}" if text and _NUMBER.fullmatch(text) else text
