"""The inspector: pages on which a developer sees all that happened, with buttons for the rest."""

import json
from typing import Any

from flask import Blueprint
from flask import abort
from flask import redirect
from flask import render_template
from flask import request
from flask import url_for
from flask.typing import ResponseReturnValue

from .current import current_gateway
from .faults import CODES
from .faults import ENDINGS
from .faults import FORMS
from .faults import KINDS
from .faults import PRESETS
from .faults import RETRY_AFTER
from .gateway import Gateway
from .payment_page import return_address
from .sessions import REASONS
from .sessions import PaymentSession
from .shape import SWITCHES
from .shape import Shape
from .story import outcome
from .story import timeline


blueprint = Blueprint("inspector", __name__)

#: Lines on one page of a list.
LINES = 50

#: Sessions among which a search by product looks, newest first.
SEARCHED = 5000


@blueprint.get("/")
def root() -> ResponseReturnValue:
    """Lead to the inspector."""
    return redirect(url_for(".sessions"))


@blueprint.get("/_simulator/")
def sessions() -> ResponseReturnValue:
    """List the sessions, newest first."""
    gateway = current_gateway()
    wanted = request.args.get("q", "").strip()
    page = request.args.get("page", 0, type=lambda text: min(max(int(text), 0), 10_000))
    found = _search(gateway, wanted) if wanted else gateway.sessions.newest(LINES + 1, page * LINES)
    shown = found[:LINES]
    return _page(
        "sessions",
        sessions=shown,
        told=gateway.deliveries.by_session(),
        wanted=wanted,
        page=page,
        more=len(found) > LINES and not wanted,
    )


@blueprint.get("/_simulator/sessions/<session_id>")
def session(session_id: str) -> ResponseReturnValue:
    """Show one session, what happened to it, and what can be done to it."""
    gateway = current_gateway()
    found = gateway.find(session_id) or abort(404, "There is no such session.")
    return _page(
        "session",
        session=found,
        moments=timeline(gateway, found),
        told=gateway.deliveries.of(session_id),
        report=gateway.shape.report(found).decode(),
        back=return_address(gateway, found),
        reasons=REASONS,
    )


@blueprint.get("/_simulator/requests")
def requests() -> ResponseReturnValue:
    """List the calls of the imitated API, newest first."""
    return _page("requests", requests=list(current_gateway().requests)[: -LINES * 4 - 1 : -1])


@blueprint.get("/_simulator/requests/<int:number>")
def api_request(number: int) -> ResponseReturnValue:
    """Show one call and its answer, without their secrets."""
    found = current_gateway().requests.find(number) or abort(404, "It is forgotten already.")
    return _page("request", call=found, body=_pretty(found.body), answer=_pretty(found.answer))


@blueprint.get("/_simulator/deliveries")
def deliveries() -> ResponseReturnValue:
    """List the callbacks, newest first."""
    return _page("deliveries", deliveries=list(current_gateway().deliveries)[: -LINES * 4 - 1 : -1])


@blueprint.get("/_simulator/deliveries/<int:number>")
def delivery(number: int) -> ResponseReturnValue:
    """Show one callback: exact bytes, signature, attempts, and why they failed."""
    found = current_gateway().deliveries.find(number) or abort(404, "It is forgotten already.")
    return _page("delivery", delivery=found, body=found.body.decode(errors="replace"))


@blueprint.get("/_simulator/faults")
def faults() -> ResponseReturnValue:
    """Show the armed faults, and arm more."""
    given = {"kind": "latency", **request.args.to_dict()}
    name = given["kind"] if given["kind"] in KINDS else "latency"
    return _page(
        "faults",
        armed=list(current_gateway().faults),
        kinds=KINDS,
        kind=KINDS[name],
        chosen=name,
        given=given,
        presets=PRESETS,
        choices={"code": CODES, "retry_after": RETRY_AFTER, "form": FORMS, "status": ENDINGS},
    )


@blueprint.get("/_simulator/setup")
def setup() -> ResponseReturnValue:
    """Show how a shop is connected, and choose the shape of answers."""
    return _page("setup", switches=SWITCHES, default=Shape())


def _page(name: str, **variables: Any) -> ResponseReturnValue:
    gateway = current_gateway()
    notice, gateway.notice = gateway.notice, ""
    return render_template(
        f"simulator/{name}.html",
        gateway=gateway,
        now=gateway.clock.now(),
        held=len(gateway.courier.held),
        notice=notice,
        here=request.full_path.rstrip("?"),
        outcome=outcome,
        tab=name,
        **variables,
    )


def _search(gateway: Gateway, wanted: str) -> list[PaymentSession]:
    by_id = gateway.find(wanted)
    if by_id is not None:
        return [by_id]

    by_order = gateway.sessions.of_order(wanted)
    if by_order:
        return by_order[::-1]

    words = wanted.lower()
    return [
        session
        for session in gateway.sessions.newest(SEARCHED)
        if words in session.creation.product_name.lower() or words == session.status
    ]


def _pretty(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text
