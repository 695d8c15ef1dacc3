"""The control routes, apart from the imitated API: for the inspector's buttons and for programs."""

from collections import Counter
from collections.abc import Sequence
from inspect import signature
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue

from .creation import read_json
from .current import address, answered, asked, current_gateway, flag, number, wants_page, whole
from .deliveries import Delivery
from .faults import PRESETS, Faults
from .gateway import Gateway, SessionOverError
from .sessions import PaymentSession
from .shape import SWITCHES
from .story import expected, load

#: What each ending of a session takes.
ENDINGS: dict[str, tuple[str, ...]] = {
    "pay": ("late",), "decline": ("code", "late"), "abandon": (), "expire": ()
}  # fmt: skip

#: All but `self`.
FAULT_FIELDS = list(signature(Faults.arm).parameters)[1:]

blueprint = Blueprint("commands", __name__, url_prefix="/_simulator")

#: What the routes of the inspector take and give, for programs in any language.
DOCUMENT = Path(__file__).with_name("openapi.json")

#: Ways to deliver a report once more, with what `Gateway.deliver` is told for each.
WAYS: dict[str, dict[str, Any]] = {
    "again": {},
    "ten": {"times": 10, "concurrently": True},
    "byte": {"damaged": True},
    "unsigned": {"signed": False},
}


@blueprint.get("/health")
def health() -> ResponseReturnValue:
    """Answer 200 as long as the simulator is up, under any host name."""
    return jsonify(status="ok")


@blueprint.get("/openapi.json")
def openapi() -> ResponseReturnValue:
    """Describe the inspector's routes, in OpenAPI."""
    return Response(DOCUMENT.read_bytes(), content_type="application/json")


@blueprint.get("/version")
def version() -> ResponseReturnValue:
    """Return the time and some counts; `version` changes once anything has happened."""
    gateway = current_gateway()
    return jsonify(
        version=gateway.version,
        now=gateway.clock.now().isoformat(),
        scale=gateway.clock.scale,
        sessions=gateway.sessions.created,
        deliveries=gateway.deliveries.made,
        requests=gateway.requests.counts,
        connections=gateway.requests.connections,
        holding=gateway.courier.holding,
        held=len(gateway.courier.held),
    )


@blueprint.post("/sessions/<session_id>/<any(pay, decline, abandon, expire):ending>")
def end(session_id: str, ending: str) -> ResponseReturnValue:
    """End a payment session as a payer or the time would."""
    gateway = current_gateway()
    fields = asked(*ENDINGS[ending])
    late = flag(fields, "late")
    if ending == "pay":
        delivery = gateway.pay(session_id, late=late)
    elif ending == "decline":
        delivery = gateway.decline(session_id, str(fields.get("code", "05")), late=late)
    elif ending == "abandon":
        delivery = gateway.abandon(session_id)
    else:
        delivery = gateway.expire(session_id)

    session = gateway.sessions[session_id]
    told = in_short([delivery] if delivery else [])
    return answered(f"The session is {session.status}. {told}", status=session.status)


@blueprint.post("/sessions/<session_id>/deliver")
def deliver(session_id: str) -> ResponseReturnValue:
    """Deliver the session's report once more, in one of the ways `WAYS` or out of order."""
    gateway = current_gateway()
    way = str(asked("way").get("way", "again"))
    session = gateway.sessions[session_id]
    if way == "order":
        made = gateway.deliver(session_id) + gateway.deliver(session_id, status="pending")
    else:
        made = gateway.deliver(session_id, **_told(gateway, session, way))

    return answered(_said(made), codes=[delivery.status_code for delivery in made])


@blueprint.post("/sessions/<session_id>/replay")
def replay(session_id: str) -> ResponseReturnValue:
    """Repeat every callback of a session with its delays, at the shop or at another one, `to`."""
    gateway = current_gateway()
    recorded = gateway.deliveries.of(gateway.sessions[session_id].id)
    return _replayed(gateway.courier.replay(recorded, address(asked("to"))))


@blueprint.post("/load")
def load_story() -> ResponseReturnValue:
    """Take over the story of a session (`story`, or a file of that name) and replay it at `to`."""
    fields = asked("story", "to")
    file = request.files.get("story")
    story = read_json(file.read()) if file else fields.get("story", {})
    return _replayed(load(current_gateway(), story, address(fields)))


@blueprint.post("/deliveries/<int:number>/send")
def send(number: int) -> ResponseReturnValue:
    """Send a callback once more, with another `body` or `signature` if given."""
    gateway = current_gateway()
    fields = asked("body", "signature", empty=True)
    body = fields.get("body")
    delivery = gateway.send(
        number,
        body=None if body is None else _as_sent(str(body)).encode(),
        signature=str(fields.get("signature", "right")),
    )
    return answered(_said([delivery]), codes=[delivery.status_code], number=delivery.number)


@blueprint.post("/clear")
def clear_all() -> ResponseReturnValue:
    """Start afresh: forget and disarm everything; clock, speed and shape as at the start."""
    asked()
    current_gateway().clear()
    return answered("Everything is as at the start.")


@blueprint.post("/callbacks/hold")
def hold() -> ResponseReturnValue:
    """Hold every callback back from now on."""
    asked()
    current_gateway().hold_callbacks()
    return answered("Callbacks are held until you release them.")


@blueprint.post("/callbacks/release")
def release() -> ResponseReturnValue:
    """Send on what was held, in the order `made`, `reversed` or `shuffled`."""
    made = current_gateway().release(str(asked("order").get("order", "made")))
    return answered(in_short(made), codes=[delivery.status_code for delivery in made])


@blueprint.post("/clock")
def clock() -> ResponseReturnValue:
    """Step the clock by seconds (`step`), set it `back` to real time, or change its `scale`."""
    gateway = current_gateway()
    fields = asked("step", "back", "scale")
    step, back = number(fields, "step"), flag(fields, "back")
    if "scale" in fields:
        gateway.clock.scale = number(fields, "scale")

    if back:
        gateway.clock.back()

    gateway.clock.step(step)
    now = gateway.clock.now()
    return answered(f"The clock shows {now:%H:%M:%S} UTC.", now=now.isoformat())


@blueprint.post("/faults")
def arm() -> ResponseReturnValue:
    """Arm a fault; a form that makes no sense is shown again as it was filled in."""
    fields = asked(*FAULT_FIELDS)
    try:
        fault = current_gateway().faults.arm(**_fault(fields))
    except ValueError as error:
        if not wants_page():
            raise

        current_gateway().notice = f"Not armed: {error}."
        return redirect(url_for("inspector.faults", **fields), 303)

    return answered(f"Armed: {fault.kind}.", number=fault.number)


@blueprint.post("/faults/presets/<name>")
def arm_preset(name: str) -> ResponseReturnValue:
    """Arm all faults of a preset, for one `order` or for all."""
    armed = current_gateway().faults.arm_preset(name, order=asked("order").get("order"))
    notice = f"Armed for good: {PRESETS[name].name}."
    return answered(notice, numbers=[fault.number for fault in armed])


@blueprint.post("/faults/clear")
def clear() -> ResponseReturnValue:
    """Disarm the fault with a `number`, or all of them."""
    fields = asked("number")
    current_gateway().faults.clear(whole(fields, "number") if "number" in fields else None)
    return answered("Disarmed.")


@blueprint.post("/shape")
def shape() -> ResponseReturnValue:
    """Choose between the ways to behave that Spayon's documentation leaves open."""
    current_gateway().shape.change(**asked(*SWITCHES, empty=True))
    return answered("The gateway behaves as you have chosen.")


@blueprint.post("/tokens/revoke")
def revoke() -> ResponseReturnValue:
    """Make every token unknown."""
    asked()
    current_gateway().tokens.revoke_all()
    return answered("No token is good any more.")


@blueprint.errorhandler(KeyError)
def no_such_session(_: KeyError) -> ResponseReturnValue:
    """Answer that the session is not there."""
    return answered("There is no such session.", 404)


@blueprint.errorhandler(SessionOverError)
@blueprint.errorhandler(ValueError)
def not_possible(error: Exception) -> ResponseReturnValue:
    """Answer why a command cannot be carried out."""
    code = 409 if isinstance(error, SessionOverError) else 400
    return answered(f"Not possible: {error}.", code)


def in_short(deliveries: Sequence[Delivery]) -> str:
    """Return what came of *deliveries*, in one sentence."""
    if not deliveries:
        return "No callback was made."

    counts = Counter(one.attempts[-1].outcome if one.attempts else one.state for one in deliveries)
    listed = ", ".join(f"{what} × {count}" if count > 1 else what for what, count in counts.items())
    return f"Callback{'s' if len(deliveries) > 1 else ''}: {listed}."


def _fault(fields: dict[str, Any]) -> dict[str, Any]:
    times = fields.get("times", 1)
    texts = {key: fields[key] for key in ("retry_after", "form", "status") if key in fields}
    return texts | {
        "kind": str(fields.get("kind")),
        "on": fields.get("on"),
        "order": fields.get("order"),
        "times": None if times in (None, "all") else whole(fields, "times", 1),
        "skip": whole(fields, "skip"),
        "chance": number(fields, "chance", 1),
        "seconds": number(fields, "seconds"),
        "code": whole(fields, "code", 503),
    }


def _said(made: Sequence[Delivery]) -> str:
    """Return what came of *made*, and what should now be seen in the shop."""
    right = expected(current_gateway(), made[-1]) if made else ""
    return f"{in_short(made)} {right}".rstrip()


def _replayed(made: Sequence[Delivery]) -> ResponseReturnValue:
    last = made[-1].due_at if made else None
    until = f", the last one at {last:%H:%M:%S} UTC" if last else ""
    notice = f"{len(made)} callbacks are replayed{until}."
    return answered(notice, numbers=[delivery.number for delivery in made])


def _as_sent(body: str) -> str:
    # A form sends each line break as two characters; the bytes of a callback have one, if any.
    return body if request.is_json else body.replace("\r\n", "\n")


def _told(gateway: Gateway, session: PaymentSession, way: str) -> dict[str, Any]:
    if way == "old_secret":
        return {"secret": gateway.old_callback_secret}

    if way == "price":
        return {"price": "1" if session.creation.price != 1 else "2"}

    if way not in WAYS:
        raise ValueError(f"way must be one of {', '.join(WAYS)}, old_secret, price, order")

    return WAYS[way]
