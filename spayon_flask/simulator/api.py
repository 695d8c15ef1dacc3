"""The imitated API: tokens, sessions and their status, as Spayon's documentation has them."""

import codecs
import hmac
import json
import math
import time
from collections.abc import Callable
from email.utils import formatdate
from functools import wraps
from typing import Any

from flask import Blueprint, Response, g, request

from .creation import BadBodyError, Creation, read_json
from .current import current_gateway
from .faults import UNKNOWN_STATUS, Fault
from .gateway import Gateway
from .server import CUTS_ITSELF, NUMBER, WIRE_HEADER
from .sessions import ID, timestamp

blueprint = Blueprint("api", __name__)

Work = Callable[..., Response]

PAGE = "<!doctype html>\n<title>Maintenance</title>\n<h1>We will be back soon</h1>\n"


def imitated(name: str, rule: str, method: str) -> Callable[[Work], Work]:
    """Register a view of the imitated API that can be made to fail."""

    def decorate(work: Work) -> Work:
        @wraps(work)
        def view(**arguments: Any) -> Response:
            return _faulty(current_gateway(), name, work, arguments)

        blueprint.add_url_rule(rule, name, view, methods=[method], strict_slashes=False)
        return view

    return decorate


@imitated("tokens", "/api/tokens", "POST")
def tokens(gateway: Gateway) -> Response:
    """Sell a token."""
    refused = _not_json(gateway)
    if refused:
        return refused

    try:
        fields = read_json(request.get_data())
        client_id, secret = fields["client_id"], fields["client_secret"]
        given = f"{client_id}\n{secret}".encode()
    except (ValueError, TypeError, KeyError):
        return _refuse(400, 'the body must be {"client_id": ..., "client_secret": ...}')

    shape = gateway.shape
    if not hmac.compare_digest(given, f"{gateway.client_id}\n{gateway.client_secret}".encode()):
        return _refuse(shape.wrong_secret_code, "the client id or the client secret is wrong")

    early = _struck("token_dies_early", "tokens")
    token = gateway.tokens.issue(
        gateway.client_id,
        gateway.clock.now(),
        lives=early.seconds if early else shape.token_lifetime,
        alone=bool(_struck("old_tokens_die", "tokens")) or shape.old_tokens == "die",
        says=shape.token_lifetime / (2 if shape.jwt_lifetime == "half" else 1),
    )
    answer = {"access_token": token, "token_type": "Bearer", "expires_in": shape.token_lifetime}
    if _struck("expires_in_text", "tokens") or shape.expires_in == "text":
        answer["expires_in"] = str(shape.token_lifetime)
    elif shape.expires_in == "missing":
        del answer["expires_in"]

    return _answer(answer, shape.token_code)


@imitated("sessions", "/api/product/session", "POST")
def create_session(gateway: Gateway) -> Response:
    """Create a payment session."""
    refused = _unauthorized(gateway) or _not_json(gateway)
    if refused:
        return refused

    try:
        creation = Creation.from_json(
            request.get_data(),
            gateway.panel,
            required=gateway.shape.required,
            refused=gateway.shape.refused,
        )
    except BadBodyError as error:
        return _refuse(400, str(error))

    name = creation.order_id
    used = [] if name is None else gateway.sessions.of_order(name)
    if used and gateway.shape.used_order == "refused":
        return _refuse(400, "order_id was used before")

    same = gateway.shape.used_order == "the same session"
    session = used[-1] if used and same else gateway.create(creation)
    early = _struck("callback_before_answer", "sessions")
    if early:
        ends = {"paid": gateway.pay, "failed": gateway.decline, "expired": gateway.expire}
        ends[early.status](session.id)

    camel = gateway.shape.creation_keys == "camel"
    keys = ("sessionId", "sessionUrl") if camel else ("session_id", "session_url")
    answer = dict(zip(keys, (session.id, f"{gateway.url}/pay/{session.id}"), strict=True))
    response = _answer(answer, gateway.shape.creation_code)
    response.headers["X-Simulator-Session"] = session.id
    return response


@imitated("status", "/api/product/session/<session_id>", "GET")
def status(gateway: Gateway, session_id: str) -> Response:
    """Answer how a payment session stands."""
    refused = _unauthorized(gateway)
    if refused:
        return refused

    session = gateway.find(session_id)
    if session is None:
        known = gateway.shape.unknown_session_code
        code = known if ID.fullmatch(session_id) else gateway.shape.malformed_session_code
        return _refuse(code, "there is no such session")

    changes: dict[str, Any] = {}
    if _struck("unknown_status", "status"):
        changes["status"] = UNKNOWN_STATUS
    elif session.status == "pending":
        changes["status"] = gateway.shape.fresh_status

    if gateway.shape.status_answer == "with a key more":
        changes["checkedAt"] = timestamp(gateway.clock.now())

    return Response(gateway.shape.report(session, **changes), content_type="application/json")


def _unauthorized(gateway: Gateway) -> Response | None:
    why = gateway.tokens.refusal(request.headers.get("Authorization", ""), gateway.clock.now())
    return _refuse(gateway.shape.wrong_token_code, why) if why else None


def _not_json(gateway: Gateway) -> Response | None:
    """Remark on a body that is not sent as the documentation says; refuse it if asked to."""
    encoding = json.detect_encoding(request.get_data())
    sent = [] if request.is_json else [f"sent as {request.mimetype or 'nothing'}"]
    if encoding != "utf-8":
        mark = encoding == "utf-8-sig"
        sent.append("written with a byte order mark" if mark else f"written in {encoding}")

    if not sent:
        return None

    g.remark = f"The body is {' and '.join(sent)}; by Spayon's documentation it is JSON, in UTF-8."
    return _refuse(400, g.remark) if gateway.shape.other_bodies == "refused" else None


def _struck(kind: str, name: str) -> Fault | None:
    """Return the armed fault of *kind* that strikes the call at hand, and note it."""
    fault = current_gateway().faults.strike(kind, name, order=g.order)
    if fault:
        g.struck.append(kind)

    return fault


def _order_of(gateway: Gateway, name: str, arguments: Any) -> str | None:
    """Return the order of the shop that a call is about, as far as that can be told."""
    if name == "status":
        session = gateway.sessions.get(arguments["session_id"])
        return session.order_id if session else None

    try:
        order = read_json(request.get_data())["order_id"]
    except (ValueError, TypeError, KeyError):
        return None

    return order if isinstance(order, str) else None


def _faulty(gateway: Gateway, name: str, work: Work, arguments: Any) -> Response:
    """Return the answer to the call *name*, by way of the faults that strike it."""
    g.order = _order_of(gateway, name, arguments)
    late = _struck("latency", name)
    if late and CUTS_ITSELF in request.environ:
        gateway.stopping.wait(late.seconds)
    elif late:
        # Without a socket nobody waits: `Wire` compares the time with the caller's patience.
        return _on_wire(_carried_out(gateway, name, work, arguments), f"late {late.seconds}")

    return _carried_out(gateway, name, work, arguments)


def _carried_out(gateway: Gateway, name: str, work: Work, arguments: Any) -> Response:
    # A call without a connection of its own counts as one on a connection that was kept open.
    if request.environ.get(NUMBER, 2) > 1 and _struck("reset_reused", name):
        return _on_wire(_answer({}), "reset")

    if _struck("drop_before", name):
        return _on_wire(_answer({}), "drop")

    error = _struck("error", name)
    if error:
        return _error(error)

    if _struck("html", name):
        return Response(PAGE, content_type="text/html; charset=utf-8")

    response = work(gateway, **arguments)
    odd = _struck("odd_json", name)
    if odd:
        response.set_data(_odd(response.get_data(), odd.form))

    if _struck("bom", name):
        response.set_data(codecs.BOM_UTF8 + response.get_data())

    return _faulty_line(name, response)


def _faulty_line(name: str, response: Response) -> Response:
    if _struck("drop_after", name):
        return _on_wire(response, "drop")

    if _struck("truncated", name):
        return _on_wire(response, "truncate")

    slow = _struck("trickle", name)
    return _on_wire(response, f"trickle {slow.seconds}") if slow else response


def _error(fault: Fault) -> Response:
    response = _refuse(fault.code, "a fault that was asked for")
    seconds = fault.seconds or 1.0
    if fault.retry_after == "seconds":
        response.headers["Retry-After"] = str(math.ceil(seconds))
    elif fault.retry_after == "date":
        # Of real time: a shop compares the date with its own clock.
        response.headers["Retry-After"] = formatdate(time.time() + seconds, usegmt=True)

    return response


def _odd(body: bytes, form: str) -> bytes:
    fields = json.loads(body)
    if form == "nested":
        return b'{"a":' * 3000 + body + b"}" * 3000

    odd = [fields] if form == "list" else dict.fromkeys(fields)
    return json.dumps(odd).encode()


def _on_wire(response: Response, how: str) -> Response:
    response.headers.setdefault(WIRE_HEADER, how)
    return response


def _answer(fields: dict[str, Any], code: int = 200) -> Response:
    return Response(json.dumps(fields), code, content_type="application/json")


def _refuse(code: int, why: str) -> Response:
    return _answer({"error": why}, code)
