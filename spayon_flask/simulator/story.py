"""Story: what happened to one session, by time, in words, and as files that other tools read."""

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import ndiff
from http import HTTPStatus
from typing import Any

from .creation import read_json
from .deliveries import Attempt, Delivery
from .gateway import Gateway
from .log import ApiRequest, Headers
from .sessions import PaymentSession, moment
from .state import read, session_in, written

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
        more = f"{request.fault} was asked for" if request.fault else request.remark
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
    answers = [each.outcome for each in delivery.attempts]
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
    if isinstance(entry, Delivery):
        return curl(entry.url, entry.body.decode(errors="replace"), dict(entry.headers))

    headers = {"Content-Type": dict(entry.headers).get("Content-Type", "application/json")}
    if entry.authorization:
        headers["Authorization"] = entry.authorization.replace("(hidden)", "TOKEN")

    return curl(gateway.url + entry.path, entry.body, headers, entry.method)


def difference(gateway: Gateway, delivery: Delivery) -> list[str]:
    """Return the lines in which *delivery* differs from the callback that it sends again."""
    earlier = gateway.deliveries.find(delivery.again_of or 0)
    if earlier is None:
        return []

    before, after = (
        [*(f"{name}: {value}" for name, value in each.headers), *_lines(each.body)]
        for each in (earlier, delivery)
    )
    return [line for line in ndiff(before, after) if line[0] in "+-"]


def _lines(body: bytes) -> list[str]:
    return pretty(body.decode(errors="replace")).splitlines()


def as_json(gateway: Gateway, session: PaymentSession) -> dict[str, Any]:
    """Return the whole story of *session*, in the form that `--load` plays back."""
    return {
        "now": gateway.clock.now().isoformat(),
        "sessions": [written(session)],
        "deliveries": written(gateway.deliveries.of(session.id)),
        "requests": written(gateway.requests.of(session.id)),
    }


def load(gateway: Gateway, story: Mapping[str, Any], to: str = "") -> list[Delivery]:
    """Take over a *story* as `as_json` wrote it, and replay its callbacks; return these.

    *to* is the origin of another shop than the recorded one. A session that was not over keeps
    the time that it had left. A `ValueError` says that *story* is none.
    """
    try:
        told = moment(story["now"])
        sessions = [session_in(each) for each in story["sessions"]]
        recorded = [read(Delivery, each) for each in story["deliveries"]]
        calls = [read(ApiRequest, each) for each in story["requests"]]
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
        entries += [_har_of_attempt(delivery, each) for each in delivery.attempts]

    entries.sort(key=lambda entry: str(entry["startedDateTime"]))
    creator = {"name": "Spayon simulator", "version": "1"}
    return {"log": {"version": "1.2", "creator": creator, "entries": entries}}


def _har_of_request(gateway: Gateway, call: ApiRequest) -> dict[str, Any]:
    return _har(
        call.at, call.seconds, call.method, gateway.url + call.path, call.headers, call.body,
        call.status_code, call.answer, call.answer_headers, call.fault or call.remark,
    )  # fmt: skip


def _har_of_attempt(delivery: Delivery, attempt: Attempt) -> dict[str, Any]:
    said = ". ".join(filter(None, [origin(delivery), attempt.cause]))
    return _har(
        attempt.at, attempt.seconds, "POST", delivery.url, delivery.headers,
        delivery.body.decode(errors="replace"), attempt.status_code, attempt.answer,
        attempt.headers, said,
    )  # fmt: skip


def _har(
    at: datetime,
    seconds: float,
    method: str,
    url: str,
    headers: Headers,
    body: str,
    status_code: int | None,
    answer: str,
    answer_headers: Headers,
    comment: str,
) -> dict[str, Any]:
    # By the format, a response that never came has the status 0, and sizes unknown are -1.
    unknown = {"httpVersion": "HTTP/1.1", "cookies": [], "headersSize": -1}
    sent, came = (
        [{"name": name, "value": value} for name, value in each]
        for each in (headers, answer_headers)
    )
    posted = {"postData": {"mimeType": "application/json", "text": body}} if body else {}
    millis = round(seconds * 1000, 3)
    return {
        "startedDateTime": at.isoformat(),
        "time": millis,
        "request": {
            **unknown, "method": method, "url": url, "headers": sent, "queryString": [],
            "bodySize": len(body.encode()), **posted,
        },
        "response": {
            **unknown, "status": status_code or 0, "statusText": "", "headers": came,
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
            f"Callback {delivery.status}{made} → {attempt.outcome}",
            delivery.well(attempt),
            delivery.number,
            attempt.cause,
        )
        for attempt in delivery.attempts
    ]


def pretty(text: str) -> str:
    """Return *text* with its JSON laid out over several lines, as it is if it holds none."""
    try:
        return json.dumps(read_json(text.encode()), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
