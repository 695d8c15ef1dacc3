"""The callback and Flask-WTF: Spayon signs its POST, but knows no CSRF token."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from flask import current_app
from flask.typing import RouteCallable


def exempt_from_csrf(blueprint: Blueprint, callback: RouteCallable) -> None:
    """Exempt *callback*, and no other view of *blueprint*, from the app's CSRFProtect, if any."""

    # Not at registration: the app may set up CSRFProtect later. A preprocessor of the URL runs
    # before every before_request function, so also before CSRFProtect's.
    @blueprint.url_value_preprocessor
    def exempt(_endpoint: str | None, _values: dict[str, Any] | None) -> None:
        protect = current_app.extensions.get("csrf")

        if protect is not None:
            protect.exempt(callback)
