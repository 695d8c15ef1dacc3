"""States: how an order can stand when two operations begin, each reached by public ways alone."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import NamedTuple

from tests.interleavings.operations import (
    DAY,
    MINUTE,
    Act,
    ahead,
    callback,
    checkout,
    checkout_of_a_changed_order,
    close,
    later,
    prune,
    prune_bodies,
    reconcile,
    refresh,
    review,
    with_habit,
)
from tests.interleavings.world import FATAL, HABITS, CrashError, World


class State(NamedTuple):
    """A way to get there, and the names of the operations that are tried on one another there."""

    build: Callable[[World], object]
    operations: dict[str, Act]


def _wait(world: World, seconds: float) -> None:
    world.shop.clock.now += timedelta(seconds=seconds)


def _live(world: World, who: str = "S") -> None:
    before = set(world.gateway.sessions)
    answer = checkout(world)
    assert answer.answer == 303, answer
    (world.names[who],) = set(world.gateway.sessions) - before


def _changed(world: World, who: str = "S") -> None:
    before = set(world.gateway.sessions)
    answer = checkout_of_a_changed_order(world)
    assert answer.answer == 303, answer
    (world.names[who],) = set(world.gateway.sessions) - before


def _unanswered(world: World) -> None:
    """Lose the gateway's answer: the shop has heard of that."""
    world.gateway.loses_answers = True
    checkout(world)
    world.gateway.loses_answers = False
    (world.names["lost"],) = set(world.gateway.sessions)


def _crashed(world: World) -> None:
    """Kill the process after the request was sent."""
    world.crashes_at_gateway = True

    with suppress(CrashError):
        checkout(world)

    world.crashes_at_gateway = False
    world.names["lost"] = world.gateway.create(
        {"price": "1000", "currency": "AMD", "order_id": "A1"}
    )


def _lapsed(world: World) -> None:
    _live(world)
    _wait(world, 16 * MINUTE)


def _superseded(world: World) -> None:
    _live(world, "old")
    _changed(world)


def _let_go(world: World) -> None:
    _live(world, "old")
    _wait(world, 16 * MINUTE)
    _live(world)


def _let_go_and_changed(world: World) -> None:
    """Issue 16, item 4 a: the first was let go by time, and the order changed after that."""
    _live(world, "old")
    _wait(world, 16 * MINUTE)
    _live(world, "mid")
    _changed(world)


def _let_go_unchanged_yet(world: World) -> None:
    _let_go(world)
    _wait(world, MINUTE)


def _unanswered_and_changed(world: World) -> None:
    """Issue 16, item 4 b."""
    _unanswered(world)
    _changed(world)


def _unanswered_and_live(world: World) -> None:
    _unanswered(world)
    _live(world)


def _ended(status: str) -> Callable[[World], None]:
    def build(world: World) -> None:
        _live(world)
        callback("S", status)(world)

    return build


def _ended_and_live(status: str) -> Callable[[World], None]:
    def build(world: World) -> None:
        _live(world, "old")
        callback("old", status)(world)
        _live(world)

    return build


def _paid_beside_let_go(world: World) -> None:
    _let_go(world)
    callback("S", "paid")(world)


def _review(world: World) -> None:
    _live(world)
    callback("S", "paid", price="1")(world)


def _superseded_review(world: World) -> None:
    _superseded(world)
    callback("old", "paid")(world)


def _second_review(world: World) -> None:
    _paid_beside_let_go(world)
    callback("old", "paid")(world)


def _undispatched(status: str, **fields: str) -> Callable[[World], None]:
    def build(world: World) -> None:
        _live(world)
        world.dispatcher_fails = lambda: True
        callback("S", status, **fields)(world)
        world.dispatcher_fails = lambda: False
        _wait(world, 2 * MINUTE)

    return build


def _unknown(world: World) -> None:
    """A report without an order came before the payment session was known."""
    _crashed(world)
    callback("lost", "paid", orderId=None)(world)


def _old(status: str) -> Callable[[World], None]:
    def build(world: World) -> None:
        _ended(status)(world)
        _wait(world, 60 * DAY)
        reconcile()(world)

    return build


def _long_ago(build: Callable[[World], object]) -> Callable[[World], None]:
    """Build a state, and let two months pass in which nothing runs."""

    def build_long_ago(world: World) -> None:
        build(world)
        _wait(world, 60 * DAY)

    return build_long_ago


def _callbacks(who: str, *statuses: str) -> dict[str, Act]:
    return {f"callback {status} of {who}": callback(who, status) for status in statuses}


def _bare(who: str, *statuses: str) -> dict[str, Act]:
    """Make callbacks without an order id."""
    return {
        f"callback {status} of {who} without order": callback(who, status, orderId=None)
        for status in statuses
    }


_CHECKOUTS: dict[str, Act] = {
    "checkout": checkout,
    "checkout of a changed order": checkout_of_a_changed_order,
}
_LATE: dict[str, Act] = {
    "checkout 16 minutes later": later(16 * MINUTE, checkout),
    "reconcile 16 minutes later": later(16 * MINUTE, reconcile()),
}
_REVIEWS: dict[str, Act] = {
    "review accept": review("S", "accept"),
    "review refuse": review("S", "refuse"),
}
_ASKING: dict[str, Act] = {
    "refresh paid": refresh("S", "paid"),
    "refresh expired": refresh("S", "expired"),
    "reconcile paid": reconcile("paid"),
    "reconcile expired": reconcile("expired"),
}

_AHEAD = 10 * MINUTE

#: What a shop may do besides, on a host whose clock may be wrong.
_ODD_CHECKOUTS: dict[str, Act] = {
    "checkout while the loader writes": with_habit(HABITS[0], checkout),
    "changed checkout while the loader writes": with_habit(HABITS[0], checkout_of_a_changed_order),
    "checkout by a clock that is ahead": ahead(_AHEAD, checkout),
    "the order is closed": close,
}
_ODD_REPORTS: dict[str, Act] = {
    **{
        f"callback paid of S while {each}": with_habit(each, callback("S", "paid"))
        for each in FATAL
    },
    "callback paid of S while the handler swallows": with_habit(HABITS[2], callback("S", "paid")),
    "refresh paid while a receiver writes": with_habit(HABITS[1], refresh("S", "paid")),
    "reconcile paid while a receiver writes": with_habit(HABITS[1], reconcile("paid")),
    "refresh paid by a clock that is ahead": ahead(_AHEAD, refresh("S", "paid")),
    "reconcile by a clock that is ahead": ahead(_AHEAD, reconcile()),
}

STATES: dict[str, State] = {
    "new order": State(
        lambda _: None,
        _CHECKOUTS
        | {
            "callback paid of nobody": callback("GX", "paid"),
            "callback paid of nobody without order": callback("GX", "paid", orderId=None),
            "reconcile": reconcile(),
        },
    ),
    "live": State(
        _live,
        _CHECKOUTS
        | _callbacks("S", "paid", "failed", "expired")
        | _bare("S", "paid")
        | {name: _ASKING[name] for name in ("refresh paid", "reconcile paid")}
        | _LATE
        | {"callback paid of S at another price": callback("S", "paid", price="1")},
    ),
    "new order of an odd shop": State(lambda _: None, {"checkout": checkout} | _ODD_CHECKOUTS),
    "live at an odd shop": State(
        _live,
        {"checkout": checkout} | _callbacks("S", "paid", "failed") | _ODD_CHECKOUTS | _ODD_REPORTS,
    ),
    "crashed on a host whose clock is ahead": State(
        _crashed,
        {"checkout by a clock that is ahead": ahead(_AHEAD, checkout), "the order is closed": close}
        | _callbacks("lost", "paid")
        | {"checkout 31 seconds later": later(31, checkout)},
    ),
    "lapsed": State(
        _lapsed,
        _CHECKOUTS | _callbacks("S", "paid", "expired") | _ASKING,
    ),
    "unanswered": State(
        _unanswered,
        _CHECKOUTS | _callbacks("lost", "paid", "failed") | _bare("lost", "paid") | _LATE,
    ),
    "crashed": State(
        _crashed,
        {
            "checkout 31 seconds later": later(31, checkout),
            "changed checkout 31 seconds later": later(31, checkout_of_a_changed_order),
        }
        | _callbacks("lost", "paid", "expired")
        | _bare("lost", "paid")
        | _LATE,
    ),
    "superseded": State(
        _superseded,
        _CHECKOUTS
        | _callbacks("old", "paid", "expired")
        | _callbacks("S", "paid", "failed")
        | {"reconcile paid of old": reconcile("paid", "old"), "reconcile paid": reconcile("paid")},
    ),
    "let go": State(
        _let_go,
        _CHECKOUTS
        | _callbacks("old", "paid", "expired", "failed")
        | _callbacks("S", "paid", "expired")
        | {
            "reconcile expired of old": reconcile("expired", "old"),
            "refresh paid": _ASKING["refresh paid"],
        },
    ),
    "let go and changed": State(
        _let_go_and_changed,
        _callbacks("old", "paid")
        | _callbacks("mid", "paid")
        | _callbacks("S", "paid", "expired")
        | {"reconcile paid of old": reconcile("paid", "old")},
    ),
    "unanswered and live": State(
        _unanswered_and_live,
        _CHECKOUTS
        | _callbacks("lost", "paid", "failed")
        | _callbacks("S", "paid", "expired")
        | {"reconcile 16 minutes later": _LATE["reconcile 16 minutes later"]},
    ),
    "unanswered and changed": State(
        _unanswered_and_changed,
        _callbacks("lost", "paid")
        | _callbacks("S", "paid", "expired")
        | {"reconcile 16 minutes later": _LATE["reconcile 16 minutes later"]},
    ),
    "failed": State(
        _ended("failed"),
        _CHECKOUTS
        | _callbacks("S", "paid", "failed", "expired")
        | {"reconcile paid 31 minutes later": later(31 * MINUTE, reconcile("paid"))},
    ),
    "expired": State(
        _ended("expired"),
        _CHECKOUTS
        | _callbacks("S", "paid", "failed")
        | {"reconcile paid 31 minutes later": later(31 * MINUTE, reconcile("paid"))},
    ),
    "expired and live": State(
        _ended_and_live("expired"),
        _CHECKOUTS | _callbacks("old", "paid") | _callbacks("S", "paid", "expired"),
    ),
    "paid": State(
        _ended("paid"),
        _CHECKOUTS
        | _callbacks("S", "paid", "failed", "expired")
        | {"refresh expired": _ASKING["refresh expired"], "reconcile": reconcile()},
    ),
    "paid beside one let go": State(
        _paid_beside_let_go,
        _CHECKOUTS
        | _callbacks("old", "paid", "failed", "expired")
        | {
            "reconcile expired of old": reconcile("expired", "old"),
            "refresh paid of old": refresh("old", "paid"),
        },
    ),
    "review": State(
        _review,
        _CHECKOUTS | _REVIEWS | _callbacks("S", "paid", "failed") | {"reconcile": reconcile()},
    ),
    "review of a superseded one": State(
        _superseded_review,
        _CHECKOUTS
        | {
            "review accept of old": review("old", "accept"),
            "review refuse of old": review("old", "refuse"),
        }
        | _callbacks("S", "paid", "expired"),
    ),
    "review of a second one": State(
        _second_review,
        {
            "review accept of old": review("old", "accept"),
            "review refuse of old": review("old", "refuse"),
            "checkout": checkout,
        }
        | _callbacks("S", "paid"),
    ),
    "review that waits for the dispatcher": State(
        _undispatched("paid", price="1"),
        _REVIEWS
        | {
            "dispatch": reconcile(),
            "review accept while the queue is down": review("S", "accept", queue_is_down=True),
            "review refuse while the queue is down": review("S", "refuse", queue_is_down=True),
            "callback paid of S at another price": callback("S", "paid", price="1"),
        },
    ),
    "paid that waits for the dispatcher": State(
        _undispatched("paid"),
        {
            "dispatch": reconcile(),
            "callback paid of S": callback("S", "paid"),
            "checkout": checkout,
        },
    ),
    "failed that waits for the dispatcher": State(
        _undispatched("failed"),
        {"dispatch": reconcile(), "callback paid of S": callback("S", "paid"), "prune": prune},
    ),
    "unknown report": State(
        _unknown,
        {
            "checkout 31 seconds later": later(31, checkout),
            "reconcile 16 minutes later": _LATE["reconcile 16 minutes later"],
        }
        | _callbacks("lost", "paid", "failed")
        | _bare("lost", "paid"),
    ),
    "old and failed": State(
        _old("failed"),
        {
            "prune": prune,
            "prune bodies": prune_bodies,
            "checkout": checkout,
            "reconcile": reconcile(),
        }
        | _callbacks("S", "paid", "failed", "expired"),
    ),
    "old and expired": State(
        _old("expired"),
        {
            "prune": prune,
            "prune bodies": prune_bodies,
            "checkout of a changed order": checkout_of_a_changed_order,
        }
        | _callbacks("S", "paid"),
    ),
    "old and paid": State(
        _long_ago(_ended("paid")),
        {
            "prune bodies": prune_bodies,
            "checkout": checkout,
            "refresh expired": _ASKING["refresh expired"],
        }
        | _callbacks("S", "paid", "failed"),
    ),
    "old review": State(
        _long_ago(_review),
        {"prune bodies": prune_bodies} | _REVIEWS | _callbacks("S", "paid", "failed"),
    ),
    "old unknown report": State(
        _long_ago(_unknown),
        {"prune bodies": prune_bodies, "checkout": checkout, "reconcile": reconcile()}
        | _callbacks("lost", "paid")
        | _bare("lost", "paid"),
    ),
    "old, and waits for the dispatcher": State(
        _long_ago(_undispatched("failed")),
        {"prune bodies": prune_bodies, "dispatch": reconcile(), "prune": prune}
        | _callbacks("S", "paid"),
    ),
}
