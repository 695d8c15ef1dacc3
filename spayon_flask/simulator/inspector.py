"""The inspector: pages on which a developer sees all that happened, with buttons for the rest.

What a page shows, a program can have as JSON: the same path with `.json` at its end.
"""

import itertools
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from flask import Blueprint
from flask import abort
from flask import jsonify
from flask import redirect
from flask import render_template
from flask import request
from flask import url_for
from flask.typing import ResponseReturnValue

from . import faults as fault_kinds
from .current import current_gateway
from .deliveries import Delivery
from .log import ApiRequest
from .payment_page import return_address
from .sessions import REASONS
from .sessions import PaymentSession
from .shape import SWITCHES
from .shape import Shape
from .state import delivery_out
from .state import request_out
from .state import session_out
from .story import as_har
from .story import as_json
from .story import curl_of
from .story import expected
from .story import grouped
from .story import origin
from .story import outcome
from .story import pretty
from .story import timeline


blueprint = Blueprint("inspector", __name__)

#: Lines on one page of a list.
LINES = 50

STATUSES = ("pending", "paid", "failed", "expired")
ENDPOINTS = {
    "tokens": "POST /api/tokens",
    "sessions": "POST /api/product/session",
    "status": "GET /api/product/session/{session_id}",
}
#: What came of a callback, for the filter: by what `Delivery.good` says.
ANSWERS = {"good": True, "bad": False, "open": None}


@blueprint.get("/")
def root() -> ResponseReturnValue:
    """Redirect to the inspector."""
    return redirect(url_for(".sessions"))


@blueprint.get("/_simulator/", defaults={"form": "html"})
@blueprint.get("/_simulator/sessions.<any(json):form>")
def sessions(form: str) -> ResponseReturnValue:
    """List the sessions, newest first: all, or those that contain `q`, or have a `status`."""
    gateway = current_gateway()
    wanted = _wanted("q", "status")
    words = wanted["q"].lower()
    found = (
        session
        for session in gateway.sessions.newest()
        if (words in session.words or words == session.status)
        and wanted["status"] in {"", session.status}
    )
    shown = _one_page(found)
    if form == "json":
        return jsonify(_listed(shown, sessions=[session_out(each) for each in shown["entries"]]))

    told = {each.id: grouped(gateway.deliveries.of(each.id)) for each in shown["entries"]}
    return _page("sessions", told=told, wanted=wanted, statuses=STATUSES, **shown)


@blueprint.get("/_simulator/sessions/<session_id>")
def session(session_id: str) -> ResponseReturnValue:
    """Show one session, what happened to it, and what can be done to it."""
    gateway = current_gateway()
    found = _session(session_id)
    return _page(
        "session",
        session=found,
        moments=timeline(gateway, found),
        told=grouped(gateway.deliveries.of(session_id)[::-1]),
        report=gateway.shape.report(found).decode(),
        back=return_address(gateway, found),
        reasons=REASONS,
    )


@blueprint.get("/_simulator/sessions/<session_id>/story.<any(json, har):form>")
def story(session_id: str, form: str) -> ResponseReturnValue:
    """Give the whole story of a session as a file: JSON for `--load`, or an HTTP archive."""
    found = _session(session_id)
    write = as_json if form == "json" else as_har
    answer = jsonify(write(current_gateway(), found))
    name = f"spayon-{found.id[:8]}.{form}"
    answer.headers["Content-Disposition"] = f"attachment; filename={name}"
    return answer


@blueprint.get("/_simulator/requests", defaults={"form": "html"})
@blueprint.get("/_simulator/requests.<any(json):form>")
def requests(form: str) -> ResponseReturnValue:
    """List the calls of the imitated API, newest first: all, or by `kind`, `code`, `session`."""
    log = current_gateway().requests
    wanted = _wanted("kind", "code", "session")

    def fits(call: ApiRequest) -> bool:
        return (
            call.endpoint == ENDPOINTS.get(wanted["kind"], call.endpoint)
            and wanted["code"] in {"", str(call.status_code or "none")}
            and (call.session_id or "").startswith(wanted["session"])
        )

    shown = _one_page(filter(fits, log.newest()))
    if form == "json":
        return jsonify(_listed(shown, requests=[request_out(each) for each in shown["entries"]]))

    return _page("requests", wanted=wanted, kinds=ENDPOINTS, codes=sorted(log.codes), **shown)


@blueprint.get("/_simulator/requests/<int:number>", defaults={"form": "html"})
@blueprint.get("/_simulator/requests/<int:number>.<any(json):form>")
def api_request(number: int, form: str) -> ResponseReturnValue:
    """Show one call and its answer, without their secrets."""
    gateway = current_gateway()
    found = gateway.requests.find(number) or abort(404, "It is forgotten already.")
    command = curl_of(gateway, found)
    if form == "json":
        return jsonify(request_out(found) | {"curl": command})

    body, answer = pretty(found.body), pretty(found.answer)
    return _page("request", call=found, body=body, answer=answer, curl=command)


@blueprint.get("/_simulator/deliveries", defaults={"form": "html"})
@blueprint.get("/_simulator/deliveries.<any(json):form>")
def deliveries(form: str) -> ResponseReturnValue:
    """List the callbacks, newest first: all, or by `kind`, `status`, `answer`, `session`."""
    log = current_gateway().deliveries
    wanted = _wanted("kind", "status", "answer", "session")

    def fits(delivery: Delivery) -> bool:
        return (
            wanted["kind"] in {"", delivery.origin}
            and wanted["status"] in {"", delivery.status}
            and ANSWERS.get(wanted["answer"], delivery.good) == delivery.good
            and delivery.session_id.startswith(wanted["session"])
        )

    shown = _one_page(filter(fits, log.newest()))
    if form == "json":
        return jsonify(_listed(shown, deliveries=[_told(each) for each in shown["entries"]]))

    return _page(
        "deliveries",
        groups=grouped(shown["entries"]),
        wanted=wanted,
        kinds=sorted(log.origins),
        statuses=sorted(log.statuses),
        **shown,
    )


@blueprint.get("/_simulator/deliveries/<int:number>", defaults={"form": "html"})
@blueprint.get("/_simulator/deliveries/<int:number>.<any(json):form>")
def delivery(number: int, form: str) -> ResponseReturnValue:
    """Show one callback: exact bytes, signature, attempts, and why they failed."""
    gateway = current_gateway()
    found = gateway.deliveries.find(number) or abort(404, "It is forgotten already.")
    command = curl_of(gateway, found)
    if form == "json":
        return jsonify(_told(found) | {"curl": command})

    body = found.body.decode(errors="replace")
    right = expected(gateway, found)
    return _page("delivery", delivery=found, body=body, curl=command, right=right)


@blueprint.get("/_simulator/faults", defaults={"form": "html"})
@blueprint.get("/_simulator/faults.<any(json):form>")
def faults(form: str) -> ResponseReturnValue:
    """Show the armed faults, and arm more."""
    armed = list(current_gateway().faults)
    if form == "json":
        hidden = {"luck"}
        shown = [{k: v for k, v in vars(each).items() if k not in hidden} for each in armed]
        return jsonify(faults=shown)

    given = {"kind": "latency", **request.args.to_dict()}
    chosen = given["kind"] if given["kind"] in fault_kinds.KINDS else "latency"
    return _page(
        "faults",
        armed=armed,
        kinds=fault_kinds.KINDS,
        kind=fault_kinds.KINDS[chosen],
        chosen=chosen,
        given=given,
        presets=fault_kinds.PRESETS,
        choices=fault_kinds.CHOICES,
    )


@blueprint.get("/_simulator/setup", defaults={"form": "html"})
@blueprint.get("/_simulator/setup.<any(json):form>")
def setup(form: str) -> ResponseReturnValue:
    """Show how a shop is connected, and choose how the gateway behaves."""
    gateway = current_gateway()
    if form == "json":
        products = {str(each): vars(product) for each, product in gateway.panel.products.items()}
        return jsonify(url=gateway.url, shape=asdict(gateway.shape), products=products)

    return _page("setup", switches=SWITCHES, default=Shape())


def _page(name: str, **variables: Any) -> ResponseReturnValue:
    gateway = current_gateway()
    notice, gateway.notice = gateway.notice, ""
    return render_template(
        f"simulator/{name}.html",
        gateway=gateway,
        now=gateway.clock.now(),
        ahead=_ahead(gateway.clock.ahead),
        scales=sorted({0, 1, 10, 60, 600, gateway.clock.scale}),
        held=len(gateway.courier.held),
        notice=notice,
        here=request.full_path.rstrip("?"),
        outcome=outcome,
        origin=origin,
        tab=name,
        **variables,
    )


def _ahead(difference: timedelta) -> str:
    """Return in words how far the clock is ahead of real time, "" if it is not."""
    if abs(difference) < timedelta(seconds=2):
        return ""

    whole = timedelta(seconds=round(abs(difference).total_seconds()))
    return f"{whole} {'ahead' if difference > timedelta(0) else 'behind'}"


def _session(session_id: str) -> PaymentSession:
    return current_gateway().find(session_id) or abort(404, "There is no such session.")


def _wanted(*names: str) -> dict[str, str]:
    return {name: request.args.get(name, "").strip() for name in names}


def _one_page(found: Iterable[Any]) -> dict[str, Any]:
    """Return the entries of the page that was asked for, and where the pages beside it are."""
    page = request.args.get("page", 0, type=lambda text: min(max(int(text), 0), 10_000))
    entries = list(itertools.islice(found, page * LINES, (page + 1) * LINES + 1))
    query: dict[str, Any] = {name: value for name, value in request.args.items() if value}
    here = str(request.endpoint)
    newer, older = query | {"page": page - 1}, query | {"page": page + 1}
    return {
        "entries": entries[:LINES],
        "page": page,
        "newer": url_for(here, **newer) if page else None,
        "older": url_for(here, **older) if len(entries) > LINES else None,
    }


def _listed(shown: Mapping[str, Any], **entries: Any) -> dict[str, Any]:
    return {**entries, "page": shown["page"], "more": shown["older"] is not None}


def _told(delivery: Delivery) -> dict[str, Any]:
    right = expected(current_gateway(), delivery)
    words = {"origin": origin(delivery), "outcome": outcome(delivery), "expected": right}
    return delivery_out(delivery) | words
