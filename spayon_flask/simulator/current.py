"""The gateway that a request is for."""

from typing import cast

from flask import current_app

from .gateway import Gateway


def current_gateway() -> Gateway:
    """Return the gateway behind the app that is handling this request."""
    return cast("Gateway", current_app.extensions["simulator"])
