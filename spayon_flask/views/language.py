"""Language: which one a payer is spoken to in, and in which zone times are told."""

from __future__ import annotations

import logging
from datetime import tzinfo
from importlib import import_module
from typing import Any

from flask import current_app
from flask import request

from ..handlers import check_result
from ..languages import Language
from ..languages import choose_language
from ..state import AppState


logger = logging.getLogger(__name__)


def page_language(state: AppState, preferred: str | None) -> Language:
    """Return the payer's language: the *preferred* one, which is the order's or the payment's.

    If there is none: what the shop's `language` function returns; then LANGUAGE in the settings;
    then the locale of Flask-Babel, if the app uses it; then what the browser asks for. Times are
    told in the zone in the settings, else in that of Flask-Babel, else in UTC.
    """
    locale, zone = _babel()
    settings = state.settings
    chosen = preferred or chosen_by_shop(state)
    return choose_language(chosen, settings.language, locale, *accepted()).in_zone(
        settings.timezone or zone
    )


def accepted() -> list[str]:
    """Return the language codes that the browser takes, the best liked first.

    Not the best match of Werkzeug: of `ru-RU, en;q=0.1` that is `en`, since it is exact.
    """
    return [code for code, quality in request.accept_languages if quality > 0]


def chosen_by_shop(state: AppState) -> str | None:
    """Return what the shop's function says; an error page must not fail by it."""
    choose = state.handlers.language

    if choose is None:
        return None

    try:
        code: object = choose()
        check_result(choose, code)

    except Exception:
        logger.exception("the language function failed", extra={"account": state.name})
        return None

    # A locale of Babel's is as good as its code.
    return None if code is None else str(code)


def _babel() -> tuple[str | None, tzinfo | None]:
    """Return the locale and the time zone that Flask-Babel chose for this request, if any."""
    if "babel" not in current_app.extensions:
        return None, None

    babel: Any = import_module("flask_babel")
    locale = babel.get_locale()
    return None if locale is None else str(locale), babel.get_timezone()
