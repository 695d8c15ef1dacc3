"""Inputs: what a URL or a form asks for: days, where a list begins, and a reason."""

from __future__ import annotations

import re
from datetime import date
from datetime import datetime
from datetime import time
from datetime import timedelta
from datetime import timezone
from datetime import tzinfo
from typing import NamedTuple

from flask import request

from ..languages import Language
from ..orders import has_control_characters
from ..storage.ledger import Key


#: So long may a reason be: it is read in a list.
LONGEST = 1000

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Period(NamedTuple):
    """From the beginning of day *first* to the end of day *last*, in *zone*; None is open."""

    first: date | None
    last: date | None
    zone: tzinfo

    @property
    def since(self) -> datetime | None:
        """The first moment of the period."""
        return None if self.first is None else midnight(self.first, self.zone)

    @property
    def until(self) -> datetime | None:
        """The first moment after the period."""
        return None if self.last is None else midnight(self.last + timedelta(days=1), self.zone)


def midnight(day: date, zone: tzinfo) -> datetime:
    """Return when *day* begins in *zone*, in UTC."""
    return datetime.combine(day, time(), zone).astimezone(timezone.utc)


def read_day(text: str) -> date | None:
    """Return the day that *text* names, such as `2026-11-22`, or None."""
    try:
        day = date.fromisoformat(text)

    except ValueError:
        return None

    # Not every database takes distant years.
    return day if 2000 <= day.year < 2100 else None  # noqa: PLR2004  years


def write_key(key: Key) -> str:
    """Write *key* as microseconds and id."""
    return f"{(key.moment - _EPOCH) // timedelta(microseconds=1)}.{key.id}"


def read_key(text: str) -> Key | None:
    """Return the key that *text* stands for, or None."""
    found = re.fullmatch(r"(\d{1,16})\.(\d{1,18})", text, re.ASCII)
    return found and Key(_EPOCH + timedelta(microseconds=int(found[1])), int(found[2]))


class Reason(NamedTuple):
    """What was typed, and what is wrong with it."""

    text: str
    error: str | None = None


def read_reason(language: Language) -> Reason:
    """Return the reason in the form that was sent."""
    # Browsers send the lines of a text area apart.
    text = " ".join(request.form.get("reason", "").split())

    if not text:
        return Reason("", language.gettext("Please write why: it is kept with the payment."))

    if has_control_characters(text):
        return Reason("", language.gettext("Please write it in plain letters."))

    if len(text) > LONGEST:
        return Reason(
            text[: LONGEST * 2],
            language.gettext("Please shorten this to %(n)d letters.", n=LONGEST),
        )

    return Reason(text)
