"""The request at hand: the gateway it is for, who may send it, what it asks, how it is answered.

Strangers are kept out: other web sites in the developer's browser, and foreign code in a page.
"""

import math
from typing import Any
from typing import cast
from urllib.parse import urlsplit

from flask import Flask
from flask import Response
from flask import abort
from flask import current_app
from flask import jsonify
from flask import redirect
from flask import request
from flask.typing import ResponseReturnValue

from .gateway import Gateway


#: Where the simulator's own pages are, and a form may send its sender nowhere else.
PAGES = "/_simulator/"

#: Names of this machine itself, which no web site can be served under.
LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}

#: The hosted page sends payers back to the shop, which may redirect to any host.
PAYERS_FORMS = "form-action 'self' http: https:"
OWN_FORMS = "form-action 'self'"

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; "
)

SAFE = {"GET", "HEAD", "OPTIONS"}


def current_gateway() -> Gateway:
    """Return the gateway behind the app that is handling this request."""
    return cast("Gateway", current_app.extensions["simulator"])


def asked(*, empty: bool = False) -> dict[str, Any]:
    """Return the fields that were sent, as a form or as a JSON object.

    A field of a form that was left empty counts as not sent, unless *empty* ones are asked for.
    """
    if not request.is_json:
        form = request.form.items()
        return {key: value for key, value in form if (value or empty) and key != "page"}

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


def wants_page() -> bool:
    """Return True if a person has sent the request, and not a program."""
    return "text/html" in request.headers.get("Accept", "")


def answered(notice: str, code: int = 200, **fields: Any) -> ResponseReturnValue:
    """Answer a command: a program with JSON, a person with the page that they came from."""
    if not wants_page():
        return jsonify(fields | {"notice": notice}), code

    current_gateway().notice = notice
    page = request.form.get("page", PAGES)
    return cast("Response", redirect(page if page.startswith(PAGES) else PAGES, 303))


def protect(app: Flask) -> None:
    """Let only a page of the simulator's own command it, and let no page run foreign code."""
    app.before_request(_refuse_strangers)
    app.after_request(_add_headers)


def _refuse_strangers() -> None:
    # Whether the simulator is up is no secret, and a container's own check may use any name.
    if request.blueprint == "api" or request.endpoint == "commands.health":
        return

    # A name that leads to this machine only since a moment ago is a web site that rebinds DNS.
    host = urlsplit(f"//{request.host}").hostname or ""
    host = f"[{host}]" if ":" in host else host
    if host not in LOOPBACK | current_gateway().hosts:
        abort(
            403,
            "This name is not the simulator's: open it as 127.0.0.1, or start it with --public-url",
        )

    if request.method in SAFE:
        return

    own = {f"{request.scheme}://{request.host}", origin_of(current_gateway().url)}
    if request.headers.get("Origin", request.host_url[:-1]) not in own:
        abort(403, "Another web site has sent this; only the simulator's own pages may.")

    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        abort(403, "Another web site has sent this; only the simulator's own pages may.")


def origin_of(url: str) -> str:
    """Return the scheme, host and port of *url*, as the Origin header has them."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _add_headers(response: Response) -> Response:
    if request.blueprint == "api":
        return response

    forms = PAYERS_FORMS if request.blueprint == "payment_page" else OWN_FORMS
    response.headers["Content-Security-Policy"] = POLICY + forms
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"

    return response
