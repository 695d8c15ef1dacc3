"""One session's story: what happened to it, what was asked and what was delivered, by time."""

from dataclasses import dataclass
from datetime import datetime

from .deliveries import Delivery
from .gateway import Gateway
from .sessions import PaymentSession


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
    for request in gateway.requests:
        if request.session_id == session.id:
            more = f"{request.fault} was asked for" if request.fault else ""
            moments.append(
                Moment(
                    request.at,
                    "request",
                    f"{request.endpoint} → {request.status_code or 'no answer'}",
                    request.status_code in {200, 201},
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
    answers = [
        attempt.lost or str(attempt.status_code or "no answer") for attempt in delivery.attempts
    ]
    listed = ", ".join(answers)
    if delivery.state == "delivered":
        return listed

    if delivery.state == "given up":
        return f"{listed}, given up" if delivery.allowed > 1 else listed

    if delivery.state == "waiting" and answers:
        return f"{listed}, again at {delivery.due_at:%H:%M:%S}" if delivery.due_at else listed

    return delivery.state


def _attempts(delivery: Delivery) -> list[Moment]:
    if not delivery.attempts:
        words = f"Callback {delivery.status}: {delivery.state}"
        return [Moment(delivery.made_at, "callback", words, None, delivery.number)]

    return [
        Moment(
            attempt.at,
            "callback",
            f"Callback {delivery.status} → {attempt.lost or attempt.status_code or 'no answer'}",
            delivery.well(attempt),
            delivery.number,
            attempt.cause,
        )
        for attempt in delivery.attempts
    ]
