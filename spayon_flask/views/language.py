"""Language: which one a payer is spoken to in, and in which zone times are told."""

from __future__ import annotations

from datetime import tzinfo
from importlib import import_module
from typing import Any

from flask import current_app
from flask import request

from ..languages import Language
from ..languages import choose_language
from ..settings import Settings


def page_language(settings: Settings, preferred: str | None) -> Language:
    """Return the payer's language: the *preferred* one, which is the order's or the payment's.

    Where it has none, the one in *settings*; then the locale of Flask-Babel, where the app uses
    it; then what the browser asks for. Times are told in the zone in *settings*, else in that of
    Flask-Babel, else in UTC.
    """
    locale, zone = _babel()
    return choose_language(preferred, settings.language, locale, *accepted()).in_zone(
        settings.timezone or zone
    )


def accepted() -> list[str]:
    """Return the language codes that the browser takes, the best liked first.

    Not the best match of Werkzeug: of `ru-RU, en;q=0.1` that is `en`, since it is exact.
    """
    return [code for code, quality in request.accept_languages if quality > 0]


def _babel() -> tuple[str | None, tzinfo | None]:
    """Return the locale and the time zone that Flask-Babel chose for this request, if any."""
    if "babel" not in current_app.extensions:
        return None, None

    babel: Any = import_module("flask_babel")
    locale = babel.get_locale()
    return None if locale is None else str(locale), babel.get_timezone()
