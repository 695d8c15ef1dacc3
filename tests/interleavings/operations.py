"""Operations: what a payer, the gateway, a clock and an operator do, each by public ways alone."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

import click
from flask.cli import ScriptInfo

from tests.interleavings import habits
from tests.interleavings.world import World

MINUTE = 60
DAY = 24 * 3600

#: The order's price, 1000 at first, after the shop has changed it.
NEW_PRICE = "2000"


@dataclass(frozen=True)
class Done:
    """What an operation came to, for those who look at it afterwards.

    *what* is its kind, *answer* a status code or a word. *session_id* and *status* are those of a
    report, *location* where a payer was sent.
    """

    what: str
    answer: Any
    session_id: str | None = None
    status: str | None = None
    location: str | None = None


@dataclass(frozen=True)
class Act:
    """What somebody does in a world, by the *name* under which it is told of."""

    name: str
    do: Callable[[World], Done]

    def __call__(self, world: World) -> Done:
        return self.do(world)


def act(name: str) -> Callable[[Callable[[World], Done]], Act]:
    """Return a decorator that makes an act of a function."""
    return partial(Act, name)


@act("checkout")
def checkout(world: World) -> Done:
    """Submit the checkout page."""
    answer = world.shop.app.test_client().post("/pay/checkout/A1")
    return Done("checkout", answer.status_code, location=answer.headers.get("Location"))


@act("changed checkout")
def changed_checkout(world: World) -> Done:
    """Let the shop change the order's price, and submit the checkout page."""
    shop = world.shop

    with shop.app.app_context():
        shop.db.session.get_one(shop.orders, "A1").price = NEW_PRICE
        shop.db.session.commit()

    return replace(checkout(world), what="changed checkout")


def later(seconds: float, earlier: Act) -> Act:
    """Do the same when *seconds* more have passed."""

    @act(f"{earlier.name} {seconds:.0f} seconds later")
    def act_later(world: World) -> Done:
        world.shop.clock.now = world.shop.clock.now + timedelta(seconds=seconds)
        done = earlier(world)
        return replace(done, what=f"later {done.what}")

    return act_later


def with_habit(habit: str, plain: Act) -> Act:
    """Do the same while the shop's functions have a *habit*; a fatal one lets a callback fail."""

    @act(f"{plain.name} while {habit}")
    def act_so(world: World) -> Done:
        with world.habit(habit):
            done = plain(world)

        return replace(done, what=f"failing {done.what}") if habit in habits.FATAL else done

    return act_so


def ahead(plain: Act) -> Act:
    """Do the same on a host whose clock is ahead by ten minutes."""

    @act(f"{plain.name} by a clock that is ahead")
    def act_ahead(world: World) -> Done:
        operation = world.turns.current()
        assert operation is not None
        operation.ahead += 10 * MINUTE
        return plain(world)

    return act_ahead


@act("the order is closed")
def close(world: World) -> Done:
    """Let the shop close the order: it cannot be paid any more."""
    habits.close(world.shop, "A1")
    return Done("close", None)


def callback(who: str, status: str, **fields: Any) -> Act:
    """Deliver a callback about the payment session that plays the part *who*."""

    @act(" ".join(["callback", status, "of", who, *(f"{key}={fields[key]}" for key in fields)]))
    def deliver(world: World) -> Done:
        session_id = world.names.get(who, who)

        if session_id in world.gateway.sessions:
            world.gateway.sessions[session_id]["status"] = status

        return post(world, world.gateway.report(session_id, **{"status": status} | fields))

    return deliver


def post(world: World, body: bytes) -> Done:
    """Deliver a signed callback."""
    said = json.loads(body)
    return Done("callback", world.shop.deliver(body), said["sessionId"], said["status"])


def refresh(who: str, status: str) -> Act:
    """Let the payer come back, while the gateway would say *status*."""

    @act(f"refresh {status} of {who}")
    def come_back(world: World) -> Done:
        session_id = world.names.get(who, who)
        world.gateway.sessions[session_id]["status"] = status
        answer = world.shop.app.test_client().get(f"/pay/return?session_id={session_id}")
        return Done("refresh", answer.status_code, session_id, status)

    return come_back


def reconcile(status: str = "", who: str = "S") -> Act:
    """Run reconcile, while the gateway would say *status*, if any, of the payment session *who*."""

    @act(f"reconcile {status} of {who}" if status else "reconcile")
    def run(world: World) -> Done:
        if status:
            world.gateway.sessions[world.names[who]]["status"] = status

        with world.shop.app.app_context():
            summary = world.shop.spayon.reconcile(jobs=1)

        return Done("reconcile", summary.failed)

    return run


def review(who: str, verdict: str) -> Act:
    """Settle a review as an operator does."""

    @act(f"review {verdict} of {who}")
    def settle(world: World) -> Done:
        arguments = [world.names[who], f"--{verdict}", "--because", "seen", "--by", "Ann"]
        return Done(f"review {verdict}", command(world, "review", *arguments))

    return settle


@act("prune")
def prune(world: World) -> Done:
    """Remove what is old."""
    return Done("prune", command(world, "prune", "--older-than", "30d"))


@act("prune bodies")
def prune_bodies(world: World) -> Done:
    """Remove the bodies of old reports, and no row."""
    return Done("prune bodies", command(world, "prune", "--bodies", "30d"))


def command(world: World, *arguments: str) -> str:
    """Run `flask spayon ...`; return `done`, or why it refused.

    Not by click's test runner, which takes standard output away from all threads at once.
    """
    info = ScriptInfo(create_app=lambda: world.shop.app)
    group = world.shop.app.cli.commands["spayon"]

    try:
        group.main(args=list(arguments), prog_name="spayon", standalone_mode=False, obj=info)

    except click.ClickException as error:
        return error.format_message()

    return "done"
