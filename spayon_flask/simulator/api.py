"""The imitated API: tokens, sessions and their status, as Spayon's documentation has them."""

import hmac
import json
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Blueprint
from flask import Response
from flask import request

from .creation import BadBodyError
from .creation import Creation
from .current import current_gateway
from .gateway import Gateway
from .log import ApiRequest
from .server import WIRE_HEADER


blueprint = Blueprint("api", __name__)

Work = Callable[..., Response]

PAGE = "<!doctype html>\n<title>Maintenance</title>\n<h1>We will be back soon</h1>\n"


def imitated(name: str, rule: str, method: str) -> Callable[[Work], Work]:
    """Register a view of the imitated API that remembers its calls and can be made to fail."""

    def decorate(work: Work) -> Work:
        @wraps(work)
        def view(**arguments: Any) -> Response:
            gateway = current_gateway()
            start = time.perf_counter()
            fault, response = _faulty(gateway, name, work, arguments)
            _remember(gateway, f"{method} {shown}", response, time.perf_counter() - start, fault)
            return response

        shown = rule.replace("<", "{").replace(">", "}")
        blueprint.add_url_rule(rule, name, view, methods=[method], strict_slashes=False)
        return view

    return decorate


@imitated("tokens", "/api/tokens", "POST")
def tokens(gateway: Gateway) -> Response:
    """Sell a token."""
    try:
        fields = json.loads(request.get_data())
        client_id, secret = fields["client_id"], fields["client_secret"]
        given = f"{client_id}\n{secret}".encode()
    except (ValueError, TypeError, KeyError, RecursionError):
        return _refuse(400, 'the body must be {"client_id": ..., "client_secret": ...}')

    shape = gateway.shape
    if not hmac.compare_digest(given, f"{gateway.client_id}\n{gateway.client_secret}".encode()):
        return _refuse(shape.wrong_secret_code, "the client id or the client secret is wrong")

    early = gateway.faults.strike("token_dies_early", "tokens")
    token = gateway.tokens.issue(
        gateway.client_id,
        gateway.clock.now(),
        lives=early.seconds if early else shape.token_lifetime,
        alone=shape.old_tokens == "die",
    )
    return _answer(shape.token(token), shape.token_code)


@imitated("sessions", "/api/product/session", "POST")
def create_session(gateway: Gateway) -> Response:
    """Create a payment session."""
    refused = _unauthorized(gateway)
    if refused:
        return refused

    try:
        creation = Creation.from_json(
            request.get_data(), gateway.panel, required=gateway.shape.required
        )
    except BadBodyError as error:
        return _refuse(400, str(error))

    used = creation.order_id is not None and gateway.sessions.of_order(creation.order_id)
    if used and gateway.shape.used_order == "refused":
        return _refuse(400, "order_id was used before")

    session = gateway.create(creation)
    early = gateway.faults.strike("callback_before_answer", "sessions")
    if early:
        ends = {"paid": gateway.pay, "failed": gateway.decline, "expired": gateway.expire}
        ends[early.status](session.id)

    answer = gateway.shape.created(session.id, f"{gateway.url}/pay/{session.id}")
    response = _answer(answer, gateway.shape.creation_code)
    response.headers["X-Simulator-Session"] = session.id
    return response


@imitated("status", "/api/product/session/<session_id>", "GET")
def status(gateway: Gateway, session_id: str) -> Response:
    """Tell how a payment session stands."""
    refused = _unauthorized(gateway)
    if refused:
        return refused

    session = gateway.find(session_id)
    if session is None:
        return _refuse(gateway.shape.unknown_session_code, "there is no such session")

    return Response(gateway.shape.report(session), content_type="application/json")


def _unauthorized(gateway: Gateway) -> Response | None:
    why = gateway.tokens.refusal(request.headers.get("Authorization", ""), gateway.clock.now())
    return _refuse(401, why) if why else None


def _faulty(gateway: Gateway, name: str, work: Work, arguments: Any) -> tuple[str | None, Response]:
    late = gateway.faults.strike("latency", name)
    if late:
        gateway.stopping.wait(late.seconds)

    if gateway.faults.strike("drop_before", name):
        return "drop_before", _cut(_answer({}), "drop")

    error = gateway.faults.strike("error", name)
    if error:
        response = _refuse(error.code, "a fault that was asked for")
        response.headers["Retry-After"] = "1"
        return "error", response

    if gateway.faults.strike("html", name):
        return "html", Response(PAGE, content_type="text/html; charset=utf-8")

    response = work(gateway, **arguments)
    if gateway.faults.strike("drop_after", name):
        return "drop_after", _cut(response, "drop")

    if gateway.faults.strike("truncated", name):
        return "truncated", _cut(response, "truncate")

    return "latency" if late else None, response


def _remember(
    gateway: Gateway, endpoint: str, response: Response, seconds: float, fault: str | None
) -> None:
    session_id = response.headers.pop("X-Simulator-Session", None)
    hide = gateway.requests.hide
    gateway.requests.add(
        ApiRequest(
            gateway.requests.number(),
            gateway.clock.now(),
            endpoint,
            request.method,
            request.full_path.rstrip("?"),
            hide(request.headers.get("Authorization", "")),
            hide(request.get_data(as_text=True)),
            None if response.headers.get(WIRE_HEADER) == "drop" else response.status_code,
            hide(response.get_data(as_text=True)),
            seconds,
            fault,
            session_id or (request.view_args or {}).get("session_id"),
        )
    )


def _cut(response: Response, how: str) -> Response:
    response.headers[WIRE_HEADER] = how
    return response


def _answer(fields: dict[str, Any], code: int = 200) -> Response:
    return Response(json.dumps(fields), code, content_type="application/json")


def _refuse(code: int, why: str) -> Response:
    return _answer({"error": why}, code)
