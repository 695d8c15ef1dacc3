"""Story: what happened to one session, by time, in words, and as files that other tools read."""

import json
import shlex
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from typing import Any

from .deliveries import Attempt
from .deliveries import Delivery
from .gateway import Gateway
from .log import ApiRequest
from .sessions import PaymentSession
from .state import delivery_in
from .state import delivery_out
from .state import request_in
from .state import request_out
from .state import session_in
from .state import session_out


#: What a shop should do with a callback of each origin, beside its answer.
EXPECTED = {
    "by hand": "200 is right; nothing may change that the shop has recorded already.",
    "replayed": "The shop should answer as it did when this was recorded.",
    "older status": "200 is right; the older report must change nothing.",
    "changed": "200 is right; the shop must compare it with its own order.",
    "edited": "200 is right if the shop can read it, 400 if not.",
    "forged": "401 is right; nothing may change.",
    "duplicate": "200 is right for both; the goods go out once.",
    "unknown status": "200 is right; nothing may change.",
}


@dataclass(frozen=True)
class Moment:
    """A line of the timeline; *kind* is `step`, `request` or `callback`, *good* how it went."""

    at: datetime
    kind: str
    text: str
    good: bool | None = None
    number: int | None = None
    more: str = ""


def timeline(gateway: Gateway, session: PaymentSession) -> list[Moment]:
    """Return all that is remembered of *session*, oldest first."""
    moments = [Moment(step.at, "step", step.text) for step in session.timeline]
    for request in gateway.requests.of(session.id):
        more = f"{request.fault} was asked for" if request.fault else ""
        moments.append(
            Moment(
                request.at,
                "request",
                f"{request.endpoint} → {request.status_code or 'no answer'}",
                request.status_code in {HTTPStatus.OK, HTTPStatus.CREATED},
                request.number,
                more,
            )
        )

    for delivery in gateway.deliveries.of(session.id):
        moments.extend(_attempts(delivery))

    # Sorting is stable: what happened at the same moment stays in the order it was collected in.
    return sorted(moments, key=lambda moment: moment.at)


def outcome(delivery: Delivery) -> str:
    """Return in a few words how *delivery* stands."""
    answers = [each.lost or str(each.status_code or "no answer") for each in delivery.attempts]
    listed = ", ".join(answers)
    if delivery.state == "delivered":
        return listed

    if delivery.state == "given up":
        return f"{listed}, given up" if delivery.allowed > 1 else listed

    if delivery.state == "waiting" and answers:
        return f"{listed}, again at {delivery.due_at:%H:%M:%S}" if delivery.due_at else listed

    return delivery.state


def origin(delivery: Delivery) -> str:
    """Return the origin of *delivery* in words: `first`, `retry 2 of 3`, `forged`."""
    tried = len(delivery.attempts)
    if delivery.origin == "first" and tried > 1:
        return f"retry {tried} of {max(delivery.allowed, tried)}"

    return delivery.origin


def expected(gateway: Gateway, delivery: Delivery) -> str:
    """Return what should now be seen in the shop, "" if *delivery* is an ordinary one."""
    if delivery.origin.endswith("at once"):
        return "200 is right for each; the goods go out once."

    if delivery.origin == "price changed":
        earlier = gateway.deliveries.of(delivery.session_id)
        paid = any(
            each.status == "paid" and each.origin == "first" and each.accepted for each in earlier
        )
        if paid:
            return "200 is right; the shop has the true price already, so nothing may change."

        return "200 is right; it should be under review in the shop, and no goods go out."

    return EXPECTED.get(delivery.origin, "")


def grouped(deliveries: Iterable[Delivery]) -> list[list[Delivery]]:
    """Return *deliveries* with those that follow each other and are equal put together."""
    groups: list[list[Delivery]] = []
    for delivery in deliveries:
        if groups and _look(groups[-1][0]) == _look(delivery):
            groups[-1].append(delivery)
        else:
            groups.append([delivery])

    return groups


def curl(url: str, body: str, headers: dict[str, str], method: str = "POST") -> str:
    """Return the command that sends the same request by curl."""
    words = ["curl", "-i", "-X", method, url]
    for name, value in headers.items():
        words += ["-H", f"{name}: {value}"]

    if body:
        words += ["--data-binary", body]

    return shlex.join(words)


def curl_of(gateway: Gateway, entry: Delivery | ApiRequest) -> str:
    """Return the curl command for a callback, or for a call with its token left to be filled in."""
    headers = {"Content-Type": "application/json"}
    if isinstance(entry, Delivery):
        headers["Content-Type"] = gateway.shape.content_type
        if entry.signature:
            headers[gateway.shape.signature_header] = entry.signature

        return curl(entry.url, entry.body.decode(errors="replace"), headers)

    if entry.authorization:
        headers["Authorization"] = entry.authorization.replace("(hidden)", "TOKEN")

    return curl(gateway.url + entry.path, entry.body, headers, entry.method)


def as_json(gateway: Gateway, session: PaymentSession) -> dict[str, Any]:
    """Return the whole story of *session*, in the form that `--load` plays back."""
    return {
        "now": gateway.clock.now().isoformat(),
        "sessions": [session_out(session)],
        "deliveries": [delivery_out(each) for each in gateway.deliveries.of(session.id)],
        "requests": [request_out(each) for each in gateway.requests.of(session.id)],
    }


def load(gateway: Gateway, story: Mapping[str, Any], to: str = "") -> list[Delivery]:
    """Take over a *story* as `as_json` wrote it, and replay its callbacks; return these.

    *to* is the origin of another shop than the recorded one. A session that was not over keeps
    the time that it had left. A `ValueError` says that *story* is none.
    """
    try:
        told = datetime.fromisoformat(story["now"])
        sessions = [session_in(each) for each in story["sessions"]]
        recorded = [delivery_in(each) for each in story["deliveries"]]
        calls = [request_in(each) for each in story["requests"]]
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise ValueError(f"this is no story of a session: {error!r}") from error

    passed = max(0.0, (gateway.clock.now() - told).total_seconds())
    for session in sessions:
        session.lifetime += 0 if session.over else passed
        gateway.resume(session)

    for call in calls:
        gateway.requests.add(replace(call, number=gateway.requests.number()))

    for delivery in recorded:
        delivery.number = gateway.deliveries.number()
        delivery.state = "delivered" if delivery.accepted else "given up"
        gateway.deliveries.add(delivery)

    return gateway.courier.replay(recorded, to)


def as_har(gateway: Gateway, session: PaymentSession) -> dict[str, Any]:
    """Return the whole story of *session* as an HTTP archive, HAR 1.2."""
    entries = [_har_of_request(gateway, each) for each in gateway.requests.of(session.id)]
    for delivery in gateway.deliveries.of(session.id):
        entries += [_har_of_attempt(gateway, delivery, each) for each in delivery.attempts]

    entries.sort(key=lambda entry: str(entry["startedDateTime"]))
    creator = {"name": "Spayon simulator", "version": "1"}
    return {"log": {"version": "1.2", "creator": creator, "entries": entries}}


def _har_of_request(gateway: Gateway, call: ApiRequest) -> dict[str, Any]:
    headers = {"Authorization": call.authorization} if call.authorization else {}
    return _har(
        call.at, call.seconds, call.method, gateway.url + call.path, headers, call.body,
        call.status_code, call.answer, call.fault or "",
    )  # fmt: skip


def _har_of_attempt(gateway: Gateway, delivery: Delivery, attempt: Attempt) -> dict[str, Any]:
    headers = {"Content-Type": gateway.shape.content_type}
    if delivery.signature:
        headers[gateway.shape.signature_header] = delivery.signature

    said = ". ".join(filter(None, [origin(delivery), attempt.cause]))
    return _har(
        attempt.at, attempt.seconds, "POST", delivery.url, headers,
        delivery.body.decode(errors="replace"), attempt.status_code, attempt.answer, said,
    )  # fmt: skip


def _har(
    at: datetime,
    seconds: float,
    method: str,
    url: str,
    headers: dict[str, str],
    body: str,
    status_code: int | None,
    answer: str,
    comment: str,
) -> dict[str, Any]:
    # By the format, a response that never came has the status 0, and sizes unknown are -1.
    unknown = {"httpVersion": "HTTP/1.1", "cookies": [], "headersSize": -1}
    listed = [{"name": name, "value": value} for name, value in headers.items()]
    posted = {"postData": {"mimeType": "application/json", "text": body}} if body else {}
    millis = round(seconds * 1000, 3)
    return {
        "startedDateTime": at.isoformat(),
        "time": millis,
        "request": {
            **unknown, "method": method, "url": url, "headers": listed, "queryString": [],
            "bodySize": len(body.encode()), **posted,
        },
        "response": {
            **unknown, "status": status_code or 0, "statusText": "", "headers": [],
            "redirectURL": "", "bodySize": -1,
            "content": {"size": len(answer.encode()), "mimeType": "", "text": answer},
        },
        "cache": {},
        "timings": {"send": 0, "wait": millis, "receive": 0},
        "comment": comment,
    }  # fmt: skip


def _look(delivery: Delivery) -> Sequence[object]:
    made = delivery.body, delivery.signature, delivery.url
    return (delivery.session_id, origin(delivery), outcome(delivery), *made)


def _attempts(delivery: Delivery) -> list[Moment]:
    made = "" if delivery.origin == "first" else f" ({delivery.origin})"
    if not delivery.attempts:
        words = f"Callback {delivery.status}{made}: {delivery.state}"
        return [Moment(delivery.made_at, "callback", words, None, delivery.number)]

    return [
        Moment(
            attempt.at,
            "callback",
            f"Callback {delivery.status}{made} → "
            f"{attempt.lost or attempt.status_code or 'no answer'}",
            delivery.well(attempt),
            delivery.number,
            attempt.cause,
        )
        for attempt in delivery.attempts
    ]


def pretty(text: str) -> str:
    """Return *text* with its JSON laid out over several lines, as it is if it holds none."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
