"""Promises: what must hold in the tables once two operations are over (DESIGN, "What is promised").

Each function here returns what is wrong, in words, and nothing if all is well.
"""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from spayon_flask.domain.reports import Report
from tests.interleavings.operations import MINUTE, Done, post, reconcile
from tests.interleavings.world import Rows, World

#: Promise 3, and a person's word.
ALLOWED = {
    ("pending", "failed"),
    ("pending", "expired"),
    ("pending", "paid"),
    ("pending", "review"),
    ("failed", "paid"),
    ("failed", "review"),
    ("expired", "paid"),
    ("expired", "review"),
}
BY_A_PERSON = {("review", "paid"), ("review", "failed")}

_OK = 200

#: What may be answered, where that is certain; reconcile tells how many answers it did not record.
_GOOD_ANSWERS: dict[str, set[Any]] = {
    "callback": {_OK},
    "refresh": {_OK},
    "checkout": {303, 503},
    "changed checkout": {303, 503},
    "reconcile": {0},
    "prune": {"done"},
    "prune bodies": {"done"},
}


def broken(rows: Rows, before: Rows, done: list[Done]) -> list[str]:
    """Return what is wrong with *rows* after the operations *done*, which began with *before*."""
    return [*_answers(done), *_always(rows, before, done, done), *_checkouts(rows, done)]


def broken_at_rest(world: World, before: Rows, done: list[Done]) -> list[str]:
    """Let all come to rest, and return what is wrong then.

    Whatever can still be paid is paid, the oldest first; each callback is delivered twice, and
    reconcile does what is left.
    """
    told = [
        post(world, world.gateway.report(session_id))
        for session_id in _pay_all(world)
        for _ in range(2)
    ]

    for minutes in (31, 12 * 60):
        world.shop.clock.step(minutes * MINUTE)
        told.append(reconcile()(world))

    rows = world.rows()
    return [
        *_answers(told),
        *_always(rows, before, done, [*done, *told]),
        *_money(world, rows, done),
        *_hand_overs(world, rows, before),
        *_rest(rows),
    ]


def _always(rows: Rows, before: Rows, done: list[Done], told: list[Done]) -> list[str]:
    return [
        *_statuses(rows, done),
        *_goods(rows, before),
        *_order(rows),
        *_leftovers(rows),
        *_old_prices(rows, done),
        *_reports(rows, told),
        *_bodies(rows),
    ]


def _pay_all(world: World) -> list[str]:
    for session in world.gateway.sessions.values():
        if session["status"] == "pending":
            session["status"] = "paid"

    return [each for each, session in world.gateway.sessions.items() if session["status"] == "paid"]


def _answers(done: list[Done]) -> Iterator[str]:
    for each in done:
        kind = each.what.removeprefix("later ")

        if each.answer not in _GOOD_ANSWERS.get(kind, {each.answer}):
            yield f"a {kind} was answered {each.answer}"


def _statuses(rows: Rows, done: list[Done]) -> Iterator[str]:
    """Look at each status that was ever written, the ones written over included."""
    allowed = ALLOWED | (BY_A_PERSON if any("review" in each.what for each in done) else set())

    for each in rows["status_log"]:
        step = each["was"], each["became"]

        if each["event"] == "status" and step not in allowed:
            yield f"a status went from {step[0]} to {step[1]}"

        if each["event"] == "row" and each["became"] != "pending":
            yield f"a payment began as {each['became']}"


def _goods(rows: Rows, before: Rows) -> Iterator[str]:
    paid = [each["id"] for each in rows["spayon_payment"] if each["status"] == "paid"]
    given = Counter(each["payment_id"] for each in rows["goods"])

    if len(paid) > 1:
        yield "an order has two paid payments"

    if len(rows["goods"]) > 1:
        yield "the goods were given twice"

    for payment_id in set(paid) | set(given):
        if given[payment_id] != paid.count(payment_id):
            yield f"a payment is paid {paid.count(payment_id)} times and given {given[payment_id]}"

    # Each status that a payment was given ran its handlers, once; the exceptions are _order's.
    changes = Counter(
        (each["payment_id"], each["became"])
        for each in rows["status_log"]
        if each["event"] == "status" and each["became"] in {"paid", "review"}
    )
    told = Counter((each["payment_id"], each["status"]) for each in rows["told"])
    earlier = Counter((each["payment_id"], each["status"]) for each in before["told"])
    told.subtract(earlier)

    for key, count in changes.items():
        if told[key] != count:
            yield f"on_{key[1]} ran {told[key]} times for {count} changes"


def _order(rows: Rows) -> Iterator[str]:
    """Look at the shop's order, to which a natural handler copies the payment's status."""
    states = [each["state"] for each in rows["order_state"]]

    if any(each["status"] == "paid" for each in rows["spayon_payment"]) and states != ["paid"]:
        yield f"a paid order was made {states[0]}"


def _old_prices(rows: Rows, done: list[Done]) -> Iterator[str]:
    """Return payments that were sold at a price which the order had no more."""
    if any(each.what == "review accept" for each in done):
        return

    log = rows["status_log"]
    (order,) = rows["shop_order"]
    at_present = [
        each for each in rows["spayon_payment"] if each["price"] == Decimal(order["price"])
    ]

    for payment in rows["spayon_payment"]:
        if payment["status"] != "paid" or payment["price"] == Decimal(order["price"]):
            continue

        paid_at = [
            each["seq"]
            for each in log
            if each["payment_id"] == payment["id"] and each["became"] == "paid"
        ]
        made_at = [
            each["seq"]
            for each in log
            if each["event"] == "row" and Decimal(each["price"]) == Decimal(order["price"])
        ]
        first_paid = min(paid_at, default=0)
        there = min(made_at, default=0) < first_paid if made_at else bool(at_present)

        if first_paid and there:
            yield "sold at the old price"


def _leftovers(rows: Rows) -> Iterator[str]:
    """Find what a receiver left in the session."""
    if any(each["paid_times"] not in (0, 1) for each in rows["shop_order"]):
        yield "what a receiver left in the session was committed"


def _reports(rows: Rows, done: list[Done]) -> Iterator[str]:
    kept = {(each["session_id"], each["status"]) for each in rows["spayon_callback"]}
    pruned = any(each.what == "prune" for each in done)

    for each in done:
        key = each.session_id, each.status

        # What ended long ago is removed with all that was said of its end.
        if pruned and each.status != "paid":
            continue

        if each.what == "callback" and each.answer == _OK and key not in kept:
            yield f"a report of {each.status} was acknowledged and is lost"


def _bodies(rows: Rows) -> Iterator[str]:
    """Find reports that their stored body does not tell; one that was removed is empty."""
    for each in rows["spayon_callback"]:
        if not each["body"]:
            continue

        report = Report.from_json(each["body"])

        if (report.session_id, report.status) != (each["session_id"], each["status"]):
            yield f"the body of a report of {each['status']} tells another report"


def _checkouts(rows: Rows, done: list[Done]) -> Iterator[str]:
    sent = {
        each.location
        for each in done
        if each.what.endswith("checkout") and each.location and "/pay/G" in each.location
    }
    kinds = [each.what for each in done]
    (order,) = rows["shop_order"]
    held = [
        each
        for each in rows["spayon_payment"]
        if each["held_order_id"] and each["status"] == "pending"
    ]

    if kinds.count("checkout") == len(kinds) and len(sent) > 1:
        yield "two payers of one order were sent to two payment sessions"

    # A closed order displaces nothing.
    if (
        "close" not in kinds
        and any("changed" in each for each in kinds)
        and any(each["price"] != Decimal(order["price"]) for each in held)
    ):
        yield "a newer payment session gave way to one of the old price"


def _money(world: World, rows: Rows, done: list[Done]) -> Iterator[str]:
    """Find money that came and that no row shows as paid or under review."""
    statuses = {each["session_id"]: each["status"] for each in rows["spayon_payment"]}
    refused = any(each.what == "review refuse" for each in done)
    unknown = {
        each["session_id"] for each in rows["spayon_callback"] if each["verdict"] == "unknown"
    }

    for session_id, session in world.gateway.sessions.items():
        if session["status"] != "paid":
            continue

        status = statuses.get(session_id)

        if status is None and session_id in unknown:
            continue

        if status not in {"paid", "review"} and not (status == "failed" and refused):
            yield f"money came and the payment is {status}"


def _hand_overs(world: World, rows: Rows, before: Rows) -> Iterator[str]:
    """Find payments of whose present status the dispatcher never heard."""
    sessions = {each["id"]: each["session_id"] for each in rows["spayon_callback"]}
    seen = {(sessions.get(row), status) for row, status in world.dispatched}
    earlier = {(each["id"], each["status"]) for each in before["spayon_payment"]}
    waiting = {each["session_id"] for each in before["spayon_callback"] if each["dispatch_at"]}
    changed = {each["session_id"] for each in rows["spayon_callback"]}

    for each in rows["spayon_payment"]:
        as_before = (each["id"], each["status"]) in earlier and each["session_id"] not in waiting

        if each["status"] == "pending" or as_before or each["session_id"] not in changed:
            continue

        if (each["session_id"], each["status"]) not in seen:
            yield f"the dispatcher never heard of a payment that is {each['status']}"


def _rest(rows: Rows) -> Iterator[str]:
    for each in rows["spayon_callback"]:
        if each["dispatch_at"] is not None:
            yield "a row waits for the dispatcher for ever"

    for each in rows["spayon_payment"]:
        if each["status"] == "pending":
            yield f"a payment is pending for ever (session {each['session_id'] is not None})"
