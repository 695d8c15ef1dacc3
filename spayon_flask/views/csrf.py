"""The callback and Flask-WTF: Spayon signs its POST, but knows no CSRF token."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from flask import Flask
from flask import request_started
from flask.blueprints import BlueprintSetupState
from flask.typing import RouteCallable


def exempt_from_csrf(blueprint: Blueprint, *views: RouteCallable) -> None:
    """Exempt *views*, and no other view of *blueprint*, from the app's CSRFProtect, if any."""

    # Not at registration: the app may set up CSRFProtect later. From its first request on it may
    # not, says Flask; and this signal comes before the check of that very request.
    @blueprint.record
    def wait(state: BlueprintSetupState) -> None:
        def exempt(app: Flask, **_: Any) -> None:
            protect = app.extensions.get("csrf")

            if protect is not None:
                for view in views:
                    protect.exempt(view)

            # Afterwards, so that a request beside this one is no sooner checked.
            request_started.disconnect(exempt)

        request_started.connect(exempt, state.app, weak=False)
