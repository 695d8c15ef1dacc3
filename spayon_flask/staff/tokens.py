"""Tokens: each form that writes carries one, which no other site can know (CSRF)."""

from __future__ import annotations

import secrets
from typing import Any

from flask import Blueprint
from flask import Flask
from flask import Response
from flask import current_app
from flask import request
from flask import request_started
from flask.blueprints import BlueprintSetupState
from itsdangerous import BadSignature
from itsdangerous import URLSafeTimedSerializer


#: The name of our cookie, and of the field in forms.
COOKIE = "spayon_staff"
FIELD = "csrf_token"

#: A page may lie open for so many seconds.
MAX_AGE = 12 * 3600


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
