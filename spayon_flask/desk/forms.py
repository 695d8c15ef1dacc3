"""Forms: what a URL or a form asks for, and the token that shows that a form is ours (CSRF)."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from secrets import token_bytes
from typing import NamedTuple

from flask import Blueprint, Flask, current_app, request
from itsdangerous import BadSignature, URLSafeTimedSerializer

from ..domain.languages import Language
from ..domain.money import read_price
from ..domain.orders import has_control_characters
from ..storage.ledger import Key
from ..views.forms import before_first_request, csrf_protect, has_good_token

#: So long may a reason be: it is read in a list.
LONGEST = 1000

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

#: The name of the field in forms.
FIELD = "csrf_token"

#: A page may lie open for so many seconds.
MAX_AGE = 12 * 3600


class Period(NamedTuple):
    """From the beginning of day *first* to the end of day *last*, in *zone*; None is open."""

    first: date | None
    last: date | None
    zone: tzinfo

    @property
    def is_reversed(self) -> bool:
        """Whether the first day comes after the last one, which is a mistake."""
        return self.first is not None and self.last is not None and self.first > self.last

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


def read_amount(text: str) -> Decimal | None:
    """Return the amount that was typed, such as `1 000,50`, or None if it is none."""
    typed = re.sub(r"\s", "", text).replace(",", ".")
    return read_price(typed)


class Tokens:
    """Sign the *person* who writes into each form, so that no other page can have it sent.

    An app with Flask-WTF's CSRFProtect has tokens of its own: then those are used.
    """

    def __init__(self, app: Flask, client_secret: str, account: str) -> None:
        # A vendor who has gone has no secret. A key that nobody knows takes no form.
        newest = app.secret_key or client_secret or token_bytes()
        # Flask's own order: the newest key signs, every key is good to read.
        keys = [*(app.config.get("SECRET_KEY_FALLBACKS") or ()), newest]
        self._serializer = URLSafeTimedSerializer(keys, salt=f"spayon-staff/{account}")

    def make(self, person: str) -> str:
        """Return a token for a form on the page of *person*."""
        if csrf_protect() is not None:
            return str(current_app.jinja_env.globals["csrf_token"]())  # type: ignore[operator]  # theirs

        return str(self._serializer.dumps(person))

    def check(self, person: str) -> bool:
        """Return True if the form that was sent comes from a page of ours for *person*."""
        if csrf_protect() is not None:
            return has_good_token()

        try:
            token = request.form.get(FIELD, "")
            return bool(self._serializer.loads(token, max_age=MAX_AGE) == person)

        except BadSignature:
            return False


def leave_to_us(blueprint: Blueprint) -> None:
    """Have CSRFProtect not look at *blueprint* before we have: a 400 would say that it is there."""

    def exempt(app: Flask) -> None:
        if (protect := app.extensions.get("csrf")) is not None:
            protect.exempt(blueprint)

    before_first_request(blueprint, exempt)
