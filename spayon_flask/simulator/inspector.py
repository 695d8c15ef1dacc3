"""The inspector: pages on which a developer sees all that happened, with buttons for the rest.

What a page shows, a program can have as JSON: the same path with `.json` at its end.
"""

import itertools
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from flask import Blueprint, abort, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from . import faults as fault_kinds
from .commands import FAULT_FIELDS
from .current import current_gateway, refuse_other_queries
from .deliveries import Delivery
from .log import OTHER, ApiRequest
from .payment_page import return_address
from .sessions import REASONS, STATUSES, PaymentSession
from .shape import SWITCHES, Shape
from .state import written
from .story import (
    as_har,
    as_json,
    curl_of,
    difference,
    expected,
    grouped,
    origin,
    outcome,
    pretty,
    timeline,
)

blueprint = Blueprint("inspector", __name__)

#: Lines on one page of a list.
LINES = 50

ENDPOINTS = {
    "tokens": "POST /api/tokens",
    "sessions": "POST /api/product/session",
    "status": "GET /api/product/session/{session_id}",
    "other": OTHER,
}
#: What came of a callback, for the filter: by what `Delivery.good` says.
ANSWERS = {"good": True, "bad": False, "open": None}


#: What may stand in a query, with what it may be if that is one of a few.
QUERIES: dict[str, dict[str, Collection[str] | None]] = {
    "inspector.sessions": {"page": None, "q": None, "order": None, "status": STATUSES},
    "inspector.requests": {
        **dict.fromkeys(("q", "code", "session", "page")), "kind": ENDPOINTS
    },
    "inspector.deliveries": {
        **dict.fromkeys(("q", "order", "kind", "status", "session", "page")), "answer": ANSWERS
    },
    "inspector.faults": dict.fromkeys(FAULT_FIELDS),
}  # fmt: skip


@blueprint.before_request
def refuse_what_is_not_understood() -> None:
    """Answer 400 to a parameter that nobody reads: a typing error would find too much."""
    refuse_other_queries(QUERIES.get(str(request.endpoint), {}))


@blueprint.get("/")
def root() -> ResponseReturnValue:
    """Redirect to the inspector."""
    return redirect(url_for(".sessions"))


@blueprint.get("/_simulator/", defaults={"form": "html"})
@blueprint.get("/_simulator/sessions.<any(json):form>")
def sessions(form: str) -> ResponseReturnValue:
    """List the sessions, newest first: all, or those of an `order`, with `q`, of a `status`."""
    gateway = current_gateway()
    wanted = _wanted()
    words, order = wanted["q"].lower(), wanted["order"]
    known = gateway.sessions.of_order(order)[::-1] if order else gateway.sessions.newest()
    found = (
        session
        for session in known
        if (words in session.words or words == session.status)
        and wanted["status"] in {"", session.status}
    )
    shown = _one_page(found)
    if form == "json":
        return jsonify(_listed(shown, sessions=written(shown["entries"])))

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
    """List the shops' requests, newest first: all, or by `q`, `kind`, `code`, `session`."""
    log = current_gateway().requests
    wanted = _wanted()

    def fits(call: ApiRequest) -> bool:
        return (
            call.endpoint == ENDPOINTS.get(wanted["kind"], call.endpoint)
            and wanted["code"] in {"", str(call.status_code or "none")}
            and (call.session_id or "").startswith(wanted["session"])
            and (not wanted["q"] or wanted["q"].lower() in call.text)
        )

    shown = _one_page(filter(fits, log.newest()))
    if form == "json":
        return jsonify(_listed(shown, requests=written(shown["entries"])))

    return _page("requests", wanted=wanted, kinds=ENDPOINTS, codes=sorted(log.codes), **shown)


@blueprint.get("/_simulator/requests/<int:number>", defaults={"form": "html"})
@blueprint.get("/_simulator/requests/<int:number>.<any(json):form>")
def api_request(number: int, form: str) -> ResponseReturnValue:
    """Show one call and its answer, without their secrets."""
    gateway = current_gateway()
    found = gateway.requests.find(number) or abort(404, "It is forgotten already.")
    command = curl_of(gateway, found)
    if form == "json":
        return jsonify(written(found) | {"curl": command})

    body, answer = pretty(found.body), pretty(found.answer)
    return _page("request", call=found, body=body, answer=answer, curl=command)


@blueprint.get("/_simulator/deliveries", defaults={"form": "html"})
@blueprint.get("/_simulator/deliveries.<any(json):form>")
def deliveries(form: str) -> ResponseReturnValue:
    """List the callbacks, newest first: all, or by `q`, `order` and what a list can be cut by."""
    log = current_gateway().deliveries
    wanted = _wanted()

    def fits(delivery: Delivery) -> bool:
        return (
            wanted["kind"] in {"", delivery.origin}
            and wanted["status"] in {"", delivery.status}
            and ANSWERS.get(wanted["answer"], delivery.good) == delivery.good
            and delivery.session_id.startswith(wanted["session"])
            and wanted["order"] in {"", delivery.order_id}
            and (not wanted["q"] or wanted["q"].lower() in delivery.text)
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
    right, changed = expected(gateway, found), difference(gateway, found)
    return _page("delivery", delivery=found, body=body, curl=command, right=right, changed=changed)


@blueprint.get("/_simulator/faults", defaults={"form": "html"})
@blueprint.get("/_simulator/faults.<any(json):form>")
def faults(form: str) -> ResponseReturnValue:
    """Show the armed faults, and arm more."""
    armed = list(current_gateway().faults)
    if form == "json":
        shown = [{k: v for k, v in vars(each).items() if k != "luck"} for each in armed]
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


def _wanted() -> dict[str, str]:
    return {name: request.args.get(name, "").strip() for name in QUERIES[str(request.endpoint)]}


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
    words = {"origin": origin(delivery), "outcome": outcome(delivery)}
    return {**written(delivery), **words, "expected": expected(current_gateway(), delivery)}
