"""Forms: what a URL or a form asks for, and the token that shows that a form is ours (CSRF)."""

from __future__ import annotations

import re
import secrets
from datetime import date
from datetime import datetime
from datetime import time
from datetime import timedelta
from datetime import timezone
from datetime import tzinfo
from typing import Any
from typing import NamedTuple

from flask import Blueprint
from flask import Flask
from flask import Response
from flask import current_app
from flask import request
from flask import request_started
from flask.blueprints import BlueprintSetupState
from itsdangerous import BadSignature
from itsdangerous import URLSafeTimedSerializer

from ..languages import Language
from ..orders import has_control_characters
from ..storage.ledger import Key


#: So long may a reason be: it is read in a list.
LONGEST = 1000

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

#: The name of our cookie, and of the field in forms.
COOKIE = "spayon_staff"

FIELD = "csrf_token"

#: A page may lie open for so many seconds.
MAX_AGE = 12 * 3600


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


class Tokens:
    """Sign the value of a cookie into each form, with *secret*; a write needs both.

    An app with Flask-WTF's CSRFProtect has tokens of its own: then those are used.
    """

    def __init__(self, secret: str, account: str) -> None:
        self._serializer = URLSafeTimedSerializer(secret, salt=f"spayon-staff/{account}")
        self._value = request.cookies.get(COOKIE, "")

    def make(self) -> str:
        """Return a token for a form on the page that is being made."""
        if _protect() is not None:
            return str(current_app.jinja_env.globals["csrf_token"]())  # type: ignore[operator]  # theirs

        self._value = self._value or secrets.token_urlsafe(24)
        return str(self._serializer.dumps(self._value))

    def keep(self, response: Response, path: str) -> None:
        """Set the cookie, for *path* and below, if a token was made for this page."""
        if self._value and self._value != request.cookies.get(COOKIE):
            response.set_cookie(
                COOKIE,
                self._value,
                path=path,
                secure=request.is_secure,
                httponly=True,
                samesite="Lax",
            )

    def check(self) -> bool:
        """Return True if the form that was sent comes from a page of ours.

        An app with CSRFProtect refuses the others by itself, with an error of its own.
        """
        if (protect := _protect()) is not None:
            protect.protect()
            return True

        try:
            value = self._serializer.loads(request.form.get(FIELD, ""), max_age=MAX_AGE)

        except BadSignature:
            return False

        sent = request.cookies.get(COOKIE, "")
        return isinstance(value, str) and secrets.compare_digest(value.encode(), sent.encode())


def leave_to_us(blueprint: Blueprint) -> None:
    """Have CSRFProtect not look at *blueprint* before we have: a 400 would say that it is there."""

    # Not at registration, since the app may set up CSRFProtect later, but before the first request.
    @blueprint.record
    def wait(state: BlueprintSetupState) -> None:
        def exempt_now(app: Flask, **_: Any) -> None:
            if (protect := app.extensions.get("csrf")) is not None:
                protect.exempt(blueprint)

            request_started.disconnect(exempt_now)

        request_started.connect(exempt_now, state.app, weak=False)


def _protect() -> Any:
    """Return the app's CSRFProtect, or None if the app has none or has switched it off."""
    enabled = current_app.config.get("WTF_CSRF_ENABLED", True)
    return current_app.extensions.get("csrf") if enabled else None
