"""Reports: a signed one to try (`trigger`), unknown ones, and those to hand over again."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import click
from flask.cli import with_appcontext

from ..client.probe import Probed
from ..client.probe import probe
from ..config import ConfigReader
from ..errors import ConfigError
from ..reports import read_stored
from ..reports import write_callback
from ..signing import sign
from ..state import AppState
from ..state import Current
from .command import Command
from .terminal import callback_fields
from .terminal import person
from .terminal import print_json
from .terminal import print_table
from .terminal import reason
from .terminal import when


_TRIGGER = """Post a signed callback to the running shop, as Spayon would.

It reports STATUS for a payment session: the one named by --session, the newest of the order named
by --order, or else the newest of all. No money moves, but the shop's handlers run: a PAID ships the
goods. In production that takes --forge-in-production.
"""

_UNKNOWN = """List the reports that belong to no payment of this shop, or note that you looked at
one.

Without --all only those that nobody has looked at. `doctor` warns of these for a week. --seen takes
the number in the first column.
"""

_DISPATCH = """Hand callback rows over to the dispatcher again, whatever became of them before.

CALLBACK_ID is the `id` that `show --json` tells. Only rows that changed a payment are handed over.
What still waits to be handed over the first time is the work of `reconcile`.
"""


def create_trigger(current: Current) -> click.Command:
    """Return the command for the current app."""

    @click.command("trigger", cls=Command, help=_TRIGGER)
    @click.argument("status", type=click.Choice(["paid", "failed", "expired", "pending"]))
    @click.option("--session", "session_id", metavar="ID", help="The payment session.")
    @click.option("--order", "order_id", metavar="ID", help="The order.")
    @click.option("--times", type=click.IntRange(1, 1000), default=1, help="Post it so often.")
    @click.option("--concurrently", is_flag=True, help="All at once.")
    @click.option("--price", help="Report this price in place of the payment's own.")
    @click.option("--url", help="The shop's base URL, in place of PUBLIC_URL.")
    @click.option("--forge-in-production", is_flag=True, help="Yes, against the real shop.")
    @with_appcontext
    def trigger(
        status: str,
        session_id: str | None,
        order_id: str | None,
        times: int,
        concurrently: bool,
        price: str | None,
        url: str | None,
        forge_in_production: bool,
    ) -> None:
        state = current()

        if state.settings.production and not (forge_in_production and session_id):
            raise click.ClickException(
                "this is production, where a forged callback runs the shop's real handlers and may "
                "ship goods that nobody paid for: if you mean it, add --forge-in-production and "
                "name the payment with --session"
            )

        target = _base(state, url) + state.urls.path("callback")
        payment = _choose(state, session_id, order_id)
        changes = {} if price is None else {"price": price}

        if payment.price is None and price is None:
            raise click.ClickException(
                "the price of a product_id is Spayon's to tell: say it with --price 1000"
            )

        body = write_callback(
            payment,
            status,
            now=state.clock(),
            **({"currency": payment.currency or "AMD"} | changes),
        )
        click.echo(f"POST {target}\n{body.decode()}")
        answers = _post(state, target, body, times, times if concurrently else 1)

        for answer in answers:
            click.echo(_line(answer))

        click.echo(_outcome(state, payment.id))
        raise click.exceptions.Exit(_exit_code(answers))

    return trigger


def _base(state: AppState, url: str | None) -> str:
    """Return scheme, host and path prefix of the shop: *url*, or else PUBLIC_URL."""
    given = ConfigReader({"--url": url}, "").url("--url")
    base = given or state.settings.public_url

    if base is None:
        raise ConfigError(
            f"{state.config_prefix}PUBLIC_URL is missing: set it, or say where the shop runs "
            "with --url http://127.0.0.1:5000"
        )

    return base


def _choose(state: AppState, session_id: str | None, order_id: str | None) -> Any:
    found = state.storage.queries.payments(
        session_id=session_id, order_id=order_id, with_session=True, limit=1
    )

    if not found:
        raise click.ClickException(
            "no such payment session: start one on the checkout page first, then see them with "
            f"`flask {state.name} payments`"
        )

    return found[0]


def _post(state: AppState, url: str, body: bytes, times: int, at_once: int) -> Sequence[Probed]:
    settings = state.settings
    headers = {
        "Content-Type": "application/json",
        "X-Signature": sign(body, settings.callback_secrets[0]),
    }

    def post(_: int) -> Probed:
        return probe(url, method="POST", body=body, headers=headers, timeout=settings.timeout)

    with ThreadPoolExecutor(min(at_once, 64)) as pool:
        return list(pool.map(post, range(times)))


def _line(answer: Probed) -> str:
    text = " ".join(answer.body.decode(errors="replace").split())[:200]
    what = answer.status if answer.error is None else answer.error
    return f"{what} in {answer.seconds * 1000:.0f} ms {text}".rstrip()


def _outcome(state: AppState, payment_id: int) -> str:
    storage = state.storage
    storage.queries.look_again()
    payment = storage.queries.get(payment_id)
    why = f" ({payment.review})" if payment.review else ""
    return f"order {payment.order_id}, payment session {payment.session_id}: {payment.status}{why}"


def _exit_code(answers: Sequence[Probed]) -> int:
    """0 recorded, 1 the shop refused or failed, 2 nobody answered."""
    if any(answer.error is not None for answer in answers):
        return 2

    return 0 if all(answer.status == 200 for answer in answers) else 1  # noqa: PLR2004  an HTTP status


def create_unknown(current: Current) -> click.Command:
    """Return the command for the current app."""

    @click.command("unknown", cls=Command, help=_UNKNOWN)
    @click.option("--seen", type=int, metavar="ID", help="This was looked at.")
    @click.option("--because", metavar="TEXT", help="With what result; kept with the report.")
    @click.option("--by", metavar="NAME", help="Who looked; else the user of this shell.")
    @click.option("--all", "all_", is_flag=True, help="Also those that somebody looked at.")
    @click.option("--json", "as_json", is_flag=True, help="For scripts.")
    @with_appcontext
    def unknown(
        seen: int | None, because: str | None, by: str | None, all_: bool, as_json: bool
    ) -> None:
        state = current()

        if seen is None:
            _list(state.storage.notes.unknown(unseen=not all_), as_json=as_json)
            return

        why = reason(because, "name the report with --seen")
        noted = state.storage.notes.seen(seen, by=person(by), because=why, now=state.clock())

        if not noted:
            raise click.ClickException(
                f"no unknown report {seen} that nobody has looked at yet: "
                f"`flask {state.name} unknown --all` lists them"
            )

        click.echo(f"noted: report {seen} was looked at")

    return unknown


def _list(found: Any, *, as_json: bool) -> None:
    if as_json:
        print_json([callback_fields(each) for each in found])

    elif not found:
        click.echo("no unknown reports")

    else:
        print_table(
            ("ID", "RECEIVED (UTC)", "STATUS", "ORDER", "PAYMENT SESSION", "LOOKED AT"),
            [
                (
                    str(each.id),
                    when(each.received_at),
                    each.status,
                    _order_in(each.body),
                    each.session_id,
                    f"by {each.seen_by}: {each.seen_because}" if each.seen_at else "",
                )
                for each in found
            ],
        )


def _order_in(body: bytes) -> str:
    """Return the order that a stored report names; an old body may have been removed."""
    report = read_stored(body)
    return (report and report.order_id) or ""


def create_dispatch(current: Current) -> click.Command:
    """Return the command for the current app."""

    @click.command("dispatch", cls=Command, help=_DISPATCH)
    @click.argument("callback_ids", metavar="CALLBACK_ID...", type=int, nargs=-1, required=True)
    @with_appcontext
    def dispatch(callback_ids: tuple[int, ...]) -> None:
        state = current()

        if state.handlers.dispatcher is None:
            raise click.ClickException("the shop has registered no dispatcher")

        failed = 0

        for callback_id in callback_ids:
            taken = state.storage.outbox.hand_over_again(callback_id, now=state.clock())
            failed += not taken
            click.echo(f"callback {callback_id}: {'handed over' if taken else 'NOT handed over'}")

        if failed:
            raise click.ClickException(
                "no such row that changed a payment, or the dispatcher failed: then the log says "
                "why, and reconcile tries again"
            )

    return dispatch
