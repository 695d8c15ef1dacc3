"""Develop: what a shop's developer uses: `trigger`, `templates` and `rehearse`."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click
from flask import current_app

from ..client.connections import Probed, probe
from ..domain import values
from ..domain.money import plain
from ..domain.reports import write_callback
from ..domain.signing import sign
from ..errors import ConfigError
from ..settings import ConfigReader
from ..state import AppState
from ..storage.ledger import Filter
from .command import command, current

_OURS = Path(__file__).parent.parent / "templates" / "spayon" / "default"

#: The pages, the frame around them, and the macros that they share.
NAMES = ("base", "checkout", "return", "cancel", "error", "parts")

_TRIGGER = """Post a signed callback to the running shop, as Spayon would.

It reports STATUS for a payment session: the one named by --session, the newest of the order named
by --order, or else the newest of all. No money moves, but the shop's handlers run: a PAID ships the
goods. In production that takes --forge-in-production.
"""

_REHEARSE = """Find out what Spayon really does, and whether this shop would take money through it.

By itself it buys tokens and creates about 25 payment sessions, which expire unpaid. With --pay a
person pays once, is declined once and clicks back once; the callbacks come to a server of its own,
at --url. The shop's tables, handlers and routes see nothing of it. Exits with 0 only if every
payment of a shop would work, 1 if something differs, 2 if it was stopped or could not tell.
"""


@command(_TRIGGER)
@click.argument("status", type=click.Choice(["paid", "failed", "expired", "pending"]))
@click.option("--session", "session_id", metavar="ID", help="The payment session.")
@click.option("--order", "order_id", metavar="ID", help="The order.")
@click.option("--times", type=click.IntRange(1, 1000), default=1, help="Post it so often.")
@click.option("--concurrently", is_flag=True, help="All at once.")
@click.option("--price", help="Report this price in place of the payment's own.")
@click.option("--url", help="The shop's base URL, in place of PUBLIC_URL.")
@click.option("--forge-in-production", is_flag=True, help="Yes, against the real shop.")
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

    if price is None and payment.price is None:
        raise click.ClickException(
            "the price of a product_id is Spayon's to tell: say it with --price 1000"
        )

    told = {"price": price or plain(payment.price), "currency": payment.currency or "AMD"}
    body = write_callback(payment, status, now=state.clock(), **told)
    click.echo(f"POST {target}\n{body.decode()}")
    answers = _post(state, target, body, times, times if concurrently else 1)

    for answer in answers:
        click.echo(_line(answer))

    click.echo(_outcome(state, payment.id))
    raise click.exceptions.Exit(_exit_code(answers))


def _base(state: AppState, url: str | None) -> str:
    """Return scheme, host and path prefix of the shop: *url*, or else PUBLIC_URL."""
    given = ConfigReader({"--url": url}, "").get("--url", values.url)
    base = given or state.settings.public_url

    if base is None:
        raise ConfigError(
            f"{state.config_prefix}PUBLIC_URL is missing: set it, or say where the shop runs "
            "with --url http://127.0.0.1:5000"
        )

    return base


def _choose(state: AppState, session_id: str | None, order_id: str | None) -> Any:
    storage = state.storage

    if session_id is not None:
        found: Any = storage.queries.find(session_id=session_id)

    else:
        newest = storage.ledger.every(Filter(order_id=order_id))
        found = next((each for each in newest if each.session_id), None)

    if found is None:
        raise click.ClickException(
            "no such payment session: start one on the checkout page first, then see them with "
            f"`flask {state.command} payments`"
        )

    return found


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


@command(f"Copy templates into the shop, to be changed there: {', '.join(NAMES)}; or all.")
@click.argument("names", nargs=-1, metavar="[NAME]...", type=click.Choice(NAMES))
@click.option(
    "--to",
    type=click.Path(file_okay=False, path_type=Path),
    help="The shop's templates folder; by default that of the app.",
)
@click.option("--force", is_flag=True, help="Overwrite what is there.")
def copy(names: tuple[str, ...], to: Path | None, force: bool) -> None:
    folder = to or Path(current_app.root_path, current_app.template_folder or "templates")
    targets = {name: folder / "spayon" / f"{name}.html" for name in names or NAMES}
    there = [str(path) for path in targets.values() if path.exists()]

    if there and not force:
        raise click.ClickException(
            f"nothing copied, {', '.join(there)} is there already: add --force to overwrite, "
            "or name the others"
        )

    for name, path in targets.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes((_OURS / f"{name}.html").read_bytes())

        except OSError as error:
            raise click.FileError(str(path), error.strerror) from error

        click.echo(path)


templates = click.Group("templates", help="The pages' templates.", commands=[copy])


@command(_REHEARSE)
@click.option("--url", help="The public address that leads to --port of this machine.")
@click.option("--port", type=int, default=5002, show_default=True, help="Where to listen.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--pay", is_flag=True, help="With a person who pays.")
@click.option("--wait", is_flag=True, help="Also wait until sessions expire: half an hour.")
@click.option("--currency", "currencies", multiple=True, help="One that you sell in.")
@click.option("--product-id", type=int, help="A product that is set up in the admin panel.")
@click.option("--report", metavar="FILE", help="Where the report goes.")
def rehearse(report: str | None, **options: object) -> None:
    # Imported here: no worker of a shop has the rehearsal.
    from ..rehearsal import Options, run  # noqa: PLC0415  on demand

    try:
        code = run(current().settings, Options(**options), report)  # type: ignore[arg-type]  # as named

    except ConfigError as error:
        # 1 is for a Spayon that differs.
        click.echo(error, err=True)
        code = 2

    raise click.exceptions.Exit(code)
