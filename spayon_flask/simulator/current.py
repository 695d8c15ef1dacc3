"""The request at hand: the gateway it is for, who may send it, what it asks, how it is answered.

A request that is not for the simulator's own pages is a shop's, and remembered. Strangers are kept
out: other web sites in the developer's browser, and foreign code in a page.
"""

import math
import time
from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import urlsplit

from flask import Flask, Response, abort, current_app, g, jsonify, redirect, request
from flask.typing import ResponseReturnValue

from .courier import origin_of
from .creation import read_json, read_url
from .gateway import Gateway
from .log import OTHER, ApiRequest
from .server import MAX_BODY, WIRE_HEADER

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

#: How a form is sent; curl's default is the first.
FORMS = {"application/x-www-form-urlencoded", "multipart/form-data"}

FLAGS = {"true": True, "1": True, "on": True, "false": False, "0": False, "off": False}


def current_gateway() -> Gateway:
    """Return the gateway behind the app that is handling this request."""
    return cast("Gateway", current_app.extensions["simulator"])


def asked(*names: str, empty: bool = False) -> dict[str, Any]:
    """Return the fields *names* that were sent, as a form or as a JSON object.

    Whatever else was sent is a `ValueError`. A field of a form that was left empty counts as not
    sent, unless *empty* ones are asked for.
    """
    if request.args:
        raise ValueError("fields belong into the body, not into the address")

    if request.is_json:
        fields = read_json(request.get_data() or b"{}")
        if not isinstance(fields, dict):
            raise ValueError("the body must be a JSON object")

    elif request.mimetype not in FORMS and request.get_data():
        raise ValueError("send JSON, with the header Content-Type: application/json, or a form")
    else:
        fields = {key: value for key, value in request.form.items() if key != "page"}

    for name in sorted(fields.keys() - {*names}):
        hint = f"; there are {', '.join(names)}" if names else ""
        if name.lstrip()[:1] in {"{", "["}:
            hint = ": if this is JSON, send the header Content-Type: application/json"

        raise ValueError(f"there is no field {name[:100]!a}{hint}")

    if request.is_json or empty:
        return fields

    return {key: value for key, value in fields.items() if value}


def flag(fields: dict[str, Any], key: str) -> bool:
    """Return the field *key* as true or false; a `ValueError` says that it is neither."""
    value = str(fields.get(key, False)).lower()
    if value not in FLAGS:
        raise ValueError(f"{key} must be true or false")

    return FLAGS[value]


def number(fields: dict[str, Any], key: str, default: float = 0.0) -> float:
    """Return the field *key* as a number; a `ValueError` says that it is none."""
    value = fields.get(key, default)
    try:
        found = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan

    if not math.isfinite(found):
        raise ValueError(f"{key} must be a number")

    return found


def whole(fields: dict[str, Any], key: str, default: int = 0) -> int:
    """Return the field *key* as a whole number; a `ValueError` says that it is none."""
    found = number(fields, key, default)
    if found != int(found):
        raise ValueError(f"{key} must be a whole number")

    return int(found)


def address(fields: dict[str, Any]) -> str:
    """Return the field `to`: another shop, or with a path the address of its callback route."""
    return read_url(fields, "to") or ""


def refuse_other_queries(allowed: Mapping[str, Collection[str] | None]) -> None:
    """Answer 400 if the query has a parameter, or a value of one, that is not *allowed*."""
    for name, value in request.args.items():
        if name not in allowed:
            known = ", ".join(allowed) or "none"
            abort(400, f"There is no parameter {name[:100]!a}; there are {known}.")

        values = allowed[name]
        if value and values is not None and value not in values:
            abort(400, f"{name} must be one of {', '.join(values)}.")


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
    app.before_request(_begin)
    app.before_request(_refuse_strangers)
    app.after_request(_add_headers)
    app.after_request(_remember)


def _begin() -> None:
    g.start, g.struck, g.remark = time.perf_counter(), [], ""
    if (request.content_length or 0) > MAX_BODY:
        abort(413)


def _refuse_strangers() -> None:
    # Whether the simulator is up is no secret, and a container's own check may use any name.
    if request.endpoint == "commands.health":
        return

    # A name that leads to this machine only since a moment ago is a web site that rebinds DNS.
    host = urlsplit(f"//{request.host}").hostname or ""
    host = f"[{host}]" if ":" in host else host
    if host not in LOOPBACK | current_gateway().hosts:
        abort(
            403,
            "This name is not the simulator's: ask 127.0.0.1, or start the simulator with "
            f"--allow-host {host} or --public-url.",
        )

    if request.method in SAFE or request.blueprint == "api":
        return

    own = {f"{request.scheme}://{request.host}", origin_of(current_gateway().url)}
    if request.headers.get("Origin", request.host_url[:-1]) not in own:
        abort(403, "Another web site has sent this; only the simulator's own pages may.")

    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        abort(403, "Another web site has sent this; only the simulator's own pages may.")


def _remember(response: Response) -> Response:
    session_id = response.headers.pop("X-Simulator-Session", None)
    if request.blueprint not in {None, "api"} or request.path.startswith(PAGES[:-1]):
        return response

    gateway = current_gateway()
    hide, hide_headers = gateway.requests.hide, gateway.requests.hide_headers
    lost = response.headers.get(WIRE_HEADER) in {"drop", "reset"}
    rule = str(request.url_rule or "")
    shown = rule.replace("<", "{").replace(">", "}")
    # A body that is too long was not read.
    body = (
        b"" if response.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE else request.get_data()
    )
    gateway.requests.add(
        ApiRequest(
            gateway.requests.number(),
            gateway.clock.now(),
            f"{request.method} {shown}" if rule else OTHER,
            request.method,
            hide(request.full_path.rstrip("?")),
            dict(hide_headers(request.headers)).get("Authorization", ""),
            hide(body.decode(errors="replace")),
            None if lost else response.status_code,
            hide(response.get_data(as_text=True)),
            time.perf_counter() - g.start,
            " and ".join(g.struck) or None,
            session_id or (request.view_args or {}).get("session_id"),
            g.remark,
            hide_headers(request.headers),
            hide_headers((key, value) for key, value in response.headers if key != WIRE_HEADER),
        )
    )
    return response


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
