"""`flask spayon trigger`: a signed callback, to try the shop's own handlers."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import click
from flask.cli import with_appcontext

from ..bodies import write_callback
from ..client.probe import Probed
from ..client.probe import probe
from ..config import ConfigReader
from ..errors import ConfigError
from ..signing import sign
from ..state import AppState
from ..state import Current
from .command import Command


_HELP = """Post a signed callback to the running shop, as Spayon would.

It reports STATUS for a payment session: the one named by --session, the newest of the order named
by --order, or else the newest of all. No money moves, but the shop's handlers run: a PAID ships the
goods. In production that takes --forge-in-production.
"""


def create_trigger(current: Current) -> click.Command:
    """Return the command for the current app."""

    @click.command("trigger", cls=Command, help=_HELP)
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
