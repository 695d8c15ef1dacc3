"""Operations: what a payer, the gateway, a clock and an operator do, each by public ways alone."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import click
from flask.cli import ScriptInfo
from sqlalchemy import text

from spayon_flask.domain import signing
from tests.interleavings.world import FATAL, World
from tests.shop import SECRET

MINUTE = 60
DAY = 24 * 3600

#: The order's price at first, and after the shop has changed it.
PRICE, NEW_PRICE = "1000", "2000"


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


Act = Callable[[World], Done]


def checkout(world: World) -> Done:
    """Submit the checkout page."""
    answer = world.shop.app.test_client().post("/pay/checkout/A1")
    return Done("checkout", answer.status_code, location=answer.headers.get("Location"))


def checkout_of_a_changed_order(world: World) -> Done:
    """Let the shop change the order's price, and submit the checkout page."""
    shop = world.shop

    with shop.app.app_context():
        shop.db.session.get_one(shop.orders, "A1").price = NEW_PRICE
        shop.db.session.commit()

    answer = world.shop.app.test_client().post("/pay/checkout/A1")
    return Done("changed checkout", answer.status_code, location=answer.headers.get("Location"))


def later(seconds: float, act: Act) -> Act:
    """Do *act* when *seconds* more have passed."""

    def act_later(world: World) -> Done:
        world.shop.clock.now = world.shop.clock.now + timedelta(seconds=seconds)
        done = act(world)
        return replace(done, what=f"later {done.what}")

    return act_later


def with_habit(habit: str, act: Act) -> Act:
    """Do *act* while the shop's functions have a *habit*; a fatal one lets a callback fail."""

    def act_so(world: World) -> Done:
        with world.habit(habit):
            done = act(world)

        return replace(done, what=f"failing {done.what}") if habit in FATAL else done

    return act_so


def ahead(seconds: float, act: Act) -> Act:
    """Do *act* on a host whose clock is ahead by *seconds*."""

    def act_ahead(world: World) -> Done:
        operation = world.turns.current()
        assert operation is not None
        operation.ahead += seconds
        return act(world)

    return act_ahead


def close(world: World) -> Done:
    """Let the shop close the order: it cannot be paid any more."""
    session = world.shop.db.session

    with world.shop.app.app_context():
        session.execute(text("INSERT INTO closed VALUES ('A1')"))
        session.commit()

    return Done("close", None)


def callback(who: str, status: str, **fields: Any) -> Act:
    """Deliver a callback about the payment session that plays the part *who*."""

    def deliver(world: World) -> Done:
        session_id = world.names.get(who, who)

        if session_id in world.gateway.sessions:
            world.gateway.sessions[session_id]["status"] = status

        said = world.gateway.report(session_id, **{"status": status} | fields)
        return post(world, said)

    return deliver


def post(world: World, said: dict[str, Any]) -> Done:
    """Deliver a signed callback that says *said*."""
    body = json.dumps(said).encode()
    answer = world.shop.app.test_client().post(
        "/pay/callback", data=body, headers={"X-Signature": signing.sign(body, SECRET)}
    )
    return Done("callback", answer.status_code, said["sessionId"], said["status"])


def refresh(who: str, status: str) -> Act:
    """Let the payer come back, while the gateway would say *status*."""

    def come_back(world: World) -> Done:
        session_id = world.names.get(who, who)
        world.gateway.sessions[session_id]["status"] = status
        answer = world.shop.app.test_client().get(f"/pay/return?session_id={session_id}")
        return Done("refresh", answer.status_code, session_id, status)

    return come_back


def reconcile(status: str | None = None, who: str = "S") -> Act:
    """Run reconcile, while the gateway would say *status* of the payment session *who*."""

    def run(world: World) -> Done:
        if status is not None:
            world.gateway.sessions[world.names[who]]["status"] = status

        with world.shop.app.app_context():
            summary = world.shop.spayon.reconcile(jobs=1)

        return Done("reconcile", summary.failed)

    return run


def review(who: str, verdict: str, *, queue_is_down: bool = False) -> Act:
    """Settle a review as an operator does."""

    def settle(world: World) -> Done:
        arguments = [world.names[who], f"--{verdict}", "--because", "seen", "--by", "Ann"]

        if queue_is_down:
            with world.failing_dispatcher():
                return Done(f"review {verdict}", command(world, "review", *arguments))

        return Done(f"review {verdict}", command(world, "review", *arguments))

    return settle


def prune(world: World) -> Done:
    """Remove what is old."""
    return Done("prune", command(world, "prune", "--older-than", "30d"))


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
