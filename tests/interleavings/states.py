"""States: how an order can stand when two operations begin, each reached by public ways alone."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import NamedTuple

from tests.interleavings.habits import (
    FATAL,
    KILLED,
    LOADER_WRITES,
    QUEUE_IS_DOWN,
    RECEIVER_WRITES,
    SWALLOWS,
)
from tests.interleavings.operations import (
    DAY,
    MINUTE,
    Act,
    ahead,
    callback,
    changed_checkout,
    checkout,
    close,
    later,
    prune,
    prune_bodies,
    reconcile,
    refresh,
    review,
    with_habit,
)
from tests.interleavings.world import CrashError, World

Step = Callable[[World], object]


class State(NamedTuple):
    """The way to get there, and the operations that are tried on one another there."""

    steps: tuple[Step, ...]
    operations: tuple[Act, ...]

    def build(self, world: World) -> None:
        """Let *world*, in which nothing has happened, stand so."""
        for step in self.steps:
            step(world)

    def operation(self, name: str) -> Act:
        """Return the operation of that name."""
        return next(each for each in self.operations if each.name == name)


def _wait(seconds: float) -> Step:
    def wait(world: World) -> None:
        world.shop.clock.now += timedelta(seconds=seconds)

    return wait


def _begin(who: str = "S", how: Act = checkout) -> Step:
    """Begin to pay, with a new payment session that plays the part *who*."""

    def begin(world: World) -> None:
        before = set(world.gateway.sessions)
        answer = how(world)
        assert answer.answer == 303, answer
        (world.names[who],) = set(world.gateway.sessions) - before

    return begin


def _unanswered(world: World) -> None:
    """Lose the gateway's answer: the shop has heard of that."""
    world.gateway.loses_answers = True
    checkout(world)
    world.gateway.loses_answers = False
    (world.names["lost"],) = set(world.gateway.sessions)


def _crashed(world: World) -> None:
    """Kill the process after the request was sent."""
    with suppress(CrashError), world.habit(KILLED):
        checkout(world)

    asked = {"price": "1000", "currency": "AMD", "order_id": "A1"}
    world.names["lost"] = world.gateway.create(asked)


def _callbacks(who: str, *statuses: str) -> tuple[Act, ...]:
    return tuple(callback(who, status) for status in statuses)


SOON = _wait(2 * MINUTE)
LAPSE = _wait(16 * MINUTE)
LONG = _wait(60 * DAY)

#: The first payment session was let go by time, and there is another one.
LET_GO = (_begin("old"), LAPSE, _begin())
SUPERSEDED = (_begin("old"), _begin("S", changed_checkout))
PAID_BESIDE_ONE_LET_GO = (*LET_GO, callback("S", "paid"))
AT_ANOTHER_PRICE = callback("S", "paid", price="1")
#: A report without an order came before the payment session was known.
UNKNOWN = (_crashed, callback("lost", "paid", orderId=None))

CHECKOUTS = (checkout, changed_checkout)
LATE_CHECKOUT = later(16 * MINUTE, checkout)
LATE_RECONCILE = later(16 * MINUTE, reconcile())
LAST_LOOK = later(31 * MINUTE, reconcile("paid"))
AFTER_A_CRASH = later(31, checkout)
LOST_PAID = (callback("lost", "paid"), callback("lost", "paid", orderId=None))
REVIEWS = (review("S", "accept"), review("S", "refuse"))
REVIEWS_OF_OLD = (review("old", "accept"), review("old", "refuse"))
ASKING = (
    *(refresh("S", "paid"), refresh("S", "expired")),
    *(reconcile("paid"), reconcile("expired")),
)

#: What a shop may do besides, on a host whose clock may be wrong.
ODD_CHECKOUTS = (
    with_habit(LOADER_WRITES, checkout),
    with_habit(LOADER_WRITES, changed_checkout),
    ahead(checkout),
    close,
)
ODD_REPORTS = (
    *(with_habit(each, callback("S", "paid")) for each in (*FATAL, SWALLOWS)),
    with_habit(RECEIVER_WRITES, refresh("S", "paid")),
    with_habit(RECEIVER_WRITES, reconcile("paid")),
    ahead(refresh("S", "paid")),
    ahead(reconcile()),
)

STATES: dict[str, State] = {
    "new order": State(
        (),
        (*CHECKOUTS, callback("GX", "paid"), callback("GX", "paid", orderId=None), reconcile()),
    ),
    "live": State(
        (_begin(),),
        (
            *CHECKOUTS,
            *_callbacks("S", "paid", "failed", "expired"),
            callback("S", "paid", orderId=None),
            *(refresh("S", "paid"), reconcile("paid"), LATE_CHECKOUT, LATE_RECONCILE),
            AT_ANOTHER_PRICE,
        ),
    ),
    "new order of an odd shop": State((), (checkout, *ODD_CHECKOUTS)),
    "live at an odd shop": State(
        (_begin(),), (checkout, *_callbacks("S", "paid", "failed"), *ODD_CHECKOUTS, *ODD_REPORTS)
    ),
    "crashed on a host whose clock is ahead": State(
        (_crashed,), (ahead(checkout), close, callback("lost", "paid"), AFTER_A_CRASH)
    ),
    "lapsed": State((_begin(), LAPSE), (*CHECKOUTS, *_callbacks("S", "paid", "expired"), *ASKING)),
    "unanswered": State(
        (_unanswered,),
        (*CHECKOUTS, *LOST_PAID, callback("lost", "failed"), LATE_CHECKOUT, LATE_RECONCILE),
    ),
    "crashed": State(
        (_crashed,),
        (
            *(AFTER_A_CRASH, later(31, changed_checkout)),
            *(*LOST_PAID, callback("lost", "expired"), LATE_CHECKOUT, LATE_RECONCILE),
        ),
    ),
    "superseded": State(
        SUPERSEDED,
        (
            *CHECKOUTS,
            *_callbacks("old", "paid", "expired"),
            *_callbacks("S", "paid", "failed"),
            *(reconcile("paid", "old"), reconcile("paid")),
        ),
    ),
    "let go": State(
        LET_GO,
        (
            *CHECKOUTS,
            *_callbacks("old", "paid", "expired", "failed"),
            *_callbacks("S", "paid", "expired"),
            *(reconcile("expired", "old"), refresh("S", "paid")),
        ),
    ),
    # The first was let go by time, and the order changed after that.
    "let go and changed": State(
        (_begin("old"), LAPSE, _begin("mid"), _begin("S", changed_checkout)),
        (
            *(callback("old", "paid"), callback("mid", "paid")),
            *_callbacks("S", "paid", "expired"),
            reconcile("paid", "old"),
        ),
    ),
    "unanswered and live": State(
        (_unanswered, _begin()),
        (
            *CHECKOUTS,
            *_callbacks("lost", "paid", "failed"),
            *_callbacks("S", "paid", "expired"),
            LATE_RECONCILE,
        ),
    ),
    "unanswered and changed": State(
        (_unanswered, _begin("S", changed_checkout)),
        (callback("lost", "paid"), *_callbacks("S", "paid", "expired"), LATE_RECONCILE),
    ),
    "failed": State(
        (_begin(), callback("S", "failed")),
        (*CHECKOUTS, *_callbacks("S", "paid", "failed", "expired"), LAST_LOOK),
    ),
    "expired": State(
        (_begin(), callback("S", "expired")),
        (*CHECKOUTS, *_callbacks("S", "paid", "failed"), LAST_LOOK),
    ),
    "expired and live": State(
        (_begin("old"), callback("old", "expired"), _begin()),
        (*CHECKOUTS, callback("old", "paid"), *_callbacks("S", "paid", "expired")),
    ),
    "paid": State(
        (_begin(), callback("S", "paid")),
        (
            *CHECKOUTS,
            *_callbacks("S", "paid", "failed", "expired"),
            *(refresh("S", "expired"), reconcile()),
        ),
    ),
    "paid beside one let go": State(
        PAID_BESIDE_ONE_LET_GO,
        (
            *CHECKOUTS,
            *_callbacks("old", "paid", "failed", "expired"),
            *(reconcile("expired", "old"), refresh("old", "paid")),
        ),
    ),
    "review": State(
        (_begin(), AT_ANOTHER_PRICE),
        (*CHECKOUTS, *REVIEWS, *_callbacks("S", "paid", "failed"), reconcile()),
    ),
    "review of a superseded one": State(
        (*SUPERSEDED, callback("old", "paid")),
        (*CHECKOUTS, *REVIEWS_OF_OLD, *_callbacks("S", "paid", "expired")),
    ),
    "review of a second one": State(
        (*PAID_BESIDE_ONE_LET_GO, callback("old", "paid")),
        (checkout, *REVIEWS_OF_OLD, callback("S", "paid")),
    ),
    "review that waits for the dispatcher": State(
        (_begin(), with_habit(QUEUE_IS_DOWN, AT_ANOTHER_PRICE), SOON),
        (
            *(*REVIEWS, reconcile(), AT_ANOTHER_PRICE),
            *(with_habit(QUEUE_IS_DOWN, each) for each in REVIEWS),
        ),
    ),
    "paid that waits for the dispatcher": State(
        (_begin(), with_habit(QUEUE_IS_DOWN, callback("S", "paid")), SOON),
        (checkout, reconcile(), callback("S", "paid")),
    ),
    "failed that waits for the dispatcher": State(
        (_begin(), with_habit(QUEUE_IS_DOWN, callback("S", "failed")), SOON),
        (reconcile(), callback("S", "paid"), prune),
    ),
    "unknown report": State(
        UNKNOWN, (AFTER_A_CRASH, LATE_RECONCILE, *LOST_PAID, callback("lost", "failed"))
    ),
    "old and failed": State(
        (_begin(), callback("S", "failed"), LONG, reconcile()),
        (
            *(prune, prune_bodies, checkout, reconcile()),
            *_callbacks("S", "paid", "failed", "expired"),
        ),
    ),
    "old and expired": State(
        (_begin(), callback("S", "expired"), LONG, reconcile()),
        (prune, prune_bodies, changed_checkout, callback("S", "paid")),
    ),
    "old and paid": State(
        (_begin(), callback("S", "paid"), LONG),
        (prune_bodies, checkout, refresh("S", "expired"), *_callbacks("S", "paid", "failed")),
    ),
    "old review": State(
        (_begin(), AT_ANOTHER_PRICE, LONG),
        (prune_bodies, *REVIEWS, *_callbacks("S", "paid", "failed")),
    ),
    "old unknown report": State(
        (*UNKNOWN, LONG), (prune_bodies, checkout, reconcile(), *LOST_PAID)
    ),
    "old, and waits for the dispatcher": State(
        (_begin(), with_habit(QUEUE_IS_DOWN, callback("S", "failed")), SOON, LONG),
        (prune_bodies, reconcile(), prune, callback("S", "paid")),
    ),
}
