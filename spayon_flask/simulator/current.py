"""The request at hand: the gateway it is for, what it asks, and how it is answered."""

import math
from typing import Any
from typing import cast

from flask import Response
from flask import abort
from flask import current_app
from flask import jsonify
from flask import redirect
from flask import request
from flask.typing import ResponseReturnValue

from .controls import Controls


#: Where the simulator's own pages are, and nowhere else may a form send its sender.
PAGES = "/_simulator/"


def current_gateway() -> Controls:
    """Return the gateway behind the app that is handling this request."""
    return cast("Controls", current_app.extensions["simulator"])


def asked() -> dict[str, Any]:
    """Return the fields that were sent, as a form or as a JSON object."""
    if not request.is_json:
        return {key: value for key, value in request.form.items() if value and key != "page"}

    fields = request.get_json()
    if not isinstance(fields, dict):
        abort(400, "The body must be a JSON object.")

    return fields


def number(fields: dict[str, Any], key: str, default: float = 0.0) -> float:
    """Return the field *key* as a number; a `ValueError` says that it is none."""
    try:
        found = float(fields.get(key, default))
    except (TypeError, ValueError, OverflowError):
        found = math.nan

    if not math.isfinite(found):
        raise ValueError(f"{key} must be a number")

    return found


def answered(notice: str, code: int = 200, **fields: Any) -> ResponseReturnValue:
    """Answer a command: a program with JSON, a person with the page that they came from."""
    if "text/html" not in request.headers.get("Accept", ""):
        return jsonify(fields | {"notice": notice}), code

    current_gateway().notice = notice
    page = request.form.get("page", PAGES)
    return cast("Response", redirect(page if page.startswith(PAGES) else PAGES, 303))
