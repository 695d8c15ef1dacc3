"""Forms: what the checkout page asks a payer for, and whether a page of ours has sent a form."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from flask import Blueprint, Flask, current_app, request, request_started
from flask.blueprints import BlueprintSetupState
from werkzeug.exceptions import BadRequest

from ..domain.languages import Language
from ..domain.orders import MAX_TEXT_LENGTH, Order, has_control_characters
from ..state import AppState

# As the browsers' own check of type="email", which the payer may not have.
# Compiled when it is first used: a worker that only takes callbacks never does.
_EMAIL = r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+"

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Field(NamedTuple):
    """A form field: its texts, what the payer typed, and what is wrong with that, if anything.

    None is required, since it is unknown what Spayon refuses to do without.
    """

    name: str
    label: str
    hint: str
    type: str
    autocomplete: str
    inputmode: str
    value: str = ""
    error: str | None = None

    def __repr__(self) -> str:
        return f"Field({self.name!r})"

    def __sentry_repr__(self) -> str:
        return repr(self)


def read_fields(
    state: AppState, order: Order, language: Language, form: Mapping[str, str] | None = None
) -> list[Field]:
    """Return a field for each detail that *order* lacks, filled from *form* if there is one.

    None if the shop has set ASK_DETAILS to false.
    """
    if not state.settings.ask_details:
        return []

    _ = language.gettext
    passed_on = _("It is passed on to Spayon.")
    # Without a function for it the shop keeps nothing of what was typed.
    reached = _("So that you can be reached about this payment. It is passed on to Spayon.")
    hint = reached if state.handlers.details else passed_on
    fields = [
        Field("email", _("Email"), hint, "email", "email", "email"),
        Field("full_name", _("Full name"), passed_on, "text", "name", "text"),
    ]
    wanted = [field for field in fields if getattr(order, field.name) is None]
    return wanted if form is None else [_fill(field, form, language) for field in wanted]


def not_accepted(fields: list[Field], language: Language) -> list[Field]:
    """Return *fields* after Spayon has refused the order.

    What was typed may be the reason; if nothing was, Spayon may insist on it.
    """
    _ = language.gettext
    error = _("Spayon did not accept these details. Please correct this, or leave it empty.")
    wanted = _("Spayon did not accept the order without this. Please fill it in.")

    if not any(field.value for field in fields):
        return [field._replace(error=wanted) for field in fields]

    return [field._replace(error=error) if field.value else field for field in fields]


def _fill(field: Field, form: Mapping[str, str], language: Language) -> Field:
    value = form.get(field.name, "").strip()
    return field._replace(
        # What cannot be shown again is not worth keeping.
        value="" if has_control_characters(value) else value[: MAX_TEXT_LENGTH * 2],
        error=_error(field, value, language) if value else None,
    )


def _error(field: Field, value: str, language: Language) -> str | None:
    _ = language.gettext

    if len(value) > MAX_TEXT_LENGTH or has_control_characters(value):
        return _("Please shorten this, and write it in one line.")

    if field.name == "email" and not re.fullmatch(_EMAIL, value):
        return _("Please write an email address such as name@example.com.")

    return None


def is_foreign(public_url: str | None) -> bool:
    """Return True if a browser says that a page of another site has sent this request.

    *public_url* is the address of the shop, if it is known: a proxy may hide the host. A client
    that says nothing is no browser, or one of before 2020; it may send what it likes anyway.
    """
    if (site := request.headers.get("Sec-Fetch-Site")) is not None:
        return site not in ("same-origin", "none")

    ours = (f"http://{request.host}", f"https://{request.host}", public_url or "")
    origin = request.headers.get("Origin")
    return origin is not None and _place(origin) not in [_place(each) for each in ours if each]


def is_own(public_url: str | None) -> bool:
    """Return True if a browser says that a page of ours has sent this request."""
    says = "Sec-Fetch-Site" in request.headers or "Origin" in request.headers
    return says and not is_foreign(public_url)


def _place(url: str) -> tuple[str | None, int | None]:
    """Return host and port of *url*. The scheme is left out: a proxy may have ended TLS."""
    try:
        parts = urlsplit(url)
        port = parts.port

    except ValueError:
        return None, None

    return parts.hostname, None if port == _DEFAULT_PORTS.get(parts.scheme) else port


def csrf_protect() -> Any:
    """Return the app's CSRFProtect of Flask-WTF, or None if the app has none or has it off."""
    config = current_app.config
    is_on = config.get("WTF_CSRF_ENABLED", True) and config.get("WTF_CSRF_CHECK_DEFAULT", True)
    protect = current_app.extensions.get("csrf") if is_on else None
    return protect if hasattr(protect, "protect") else None


def has_good_token() -> bool:
    """Return False if the app's CSRFProtect, if there is one, refuses the token of this form."""
    protect = csrf_protect()

    try:
        if protect is not None:
            protect.protect()

    except BadRequest:
        return False

    return True


def before_first_request(blueprint: Blueprint, act: Callable[[Flask], None]) -> None:
    """Have *act* called once for each app that *blueprint* is registered in, at its first request.

    Not at registration, since the app may set up its extensions later. From the first request on
    Flask forbids that; and the signal comes before the extensions check that very request.
    """

    @blueprint.record
    def wait(state: BlueprintSetupState) -> None:
        def act_now(app: Flask, **_: Any) -> None:
            act(app)
            # Afterwards, so that a request beside this one is checked only after this.
            request_started.disconnect(act_now)

        request_started.connect(act_now, state.app, weak=False)
