"""`flask spayon rehearse`: what Spayon really does, against what the package assumes."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from ...errors import ConfigError
from ...state import AppState
from ...state import Current
from ..command import Command
from . import report as reports
from .gateway import PAUSE
from .gateway import StoppedError
from .rehearsal import ALONE
from .rehearsal import WITH_PAYER
from .rehearsal import Rehearsal
from .rehearsal import environment_of
from .steps import STEPS


_HELP = """Find out what Spayon really does, and compare it with what the package assumes.

By itself it buys tokens and creates payment sessions, which expire unpaid: no money moves and no
public address is needed. With --pay a person pays once, is declined once and clicks back once, and
the running shop receives what comes of it. With --redelivery callbacks are refused on purpose. By
itself that takes 32 minutes, because sessions have to expire first. With --pay as well, the payer's
sessions serve, and it takes 17 minutes if Spayon ends a session when the payer gives up.

The shop's tables, handlers and queue see nothing of it. The report goes into the instance folder,
and holds no secret. Exits with 0 if all that was tried is as assumed, 1 if something differs, 2 if
nothing is proven.
"""


class _Terminal:
    """The person at the terminal."""

    def do(self, what: str, url: str) -> None:
        click.echo(f"\n  {what}\n  {url}\n")
        click.prompt("  Press Enter when it is done", default="", show_default=False)


def create_rehearse(current: Current) -> click.Command:
    """Return the command for the current app."""

    @click.command("rehearse", cls=Command, help=_HELP)
    @click.option("--pay", is_flag=True, help="With a person who pays; needs PUBLIC_URL.")
    @click.option("--redelivery", is_flag=True, help="Refuse callbacks on purpose.")
    @click.option("--dry-run", is_flag=True, help="Only list what would be asked.")
    @click.option("--resume", is_flag=True, help="Go on with a rehearsal that was stopped.")
    @click.option("--yes", is_flag=True, help="Do not ask before it begins.")
    @with_appcontext
    def rehearse(pay: bool, redelivery: bool, dry_run: bool, resume: bool, yes: bool) -> None:
        state = current()
        _announce(state, pay=pay, redelivery=redelivery)

        if dry_run:
            return

        if not yes:
            click.confirm("Begin?", abort=True)

        # Said before anything is asked, in place of after two minutes.
        if (pay or redelivery) and state.settings.public_url is None:
            raise ConfigError(
                f"{state.config_prefix}PUBLIC_URL is missing: callbacks and payers come back "
                "to the running shop, and this names its address"
            )

        if pay and state.settings.production and not state.settings.simulated:
            click.confirm("This is production: the card is charged. Go on?", abort=True)

        rehearsal = Rehearsal(state, _Terminal(), lambda says: click.echo(f"- {says}"))

        try:
            rehearsal.begin(resume=resume)

        except OSError as error:
            raise ConfigError(
                f"{state.rehearsals.folder} cannot be written ({error.strerror}): the report and "
                "what the running shop receives go into the app's instance folder"
            ) from error

        stopped = _walk(rehearsal, pay=pay, redelivery=redelivery)
        found = reports.lines(rehearsal.facts)
        report = reports.as_json(found, rehearsal.facts, environment_of(state), state.clock())
        click.echo("\n" + reports.as_text(report))

        if any(line.outcome != "not tried" for line in found):
            click.echo(f"Written to {reports.write(report, state.rehearsals.folder)}")

        if stopped is None:
            rehearsal.end()

        else:
            click.echo(f"Stopped: {stopped}\nGo on with --resume.", err=True)

        raise click.exceptions.Exit(reports.exit_code(found))

    return rehearse


def _walk(rehearsal: Rehearsal, *, pay: bool, redelivery: bool) -> StoppedError | None:
    """Take the steps that were asked for; return what stopped them, if anything."""
    try:
        rehearsal.alone()

        if pay:
            rehearsal.with_payer(redelivery=redelivery)

        if redelivery:
            rehearsal.redelivery()

    except StoppedError as error:
        return error

    return None


def _announce(state: AppState, *, pay: bool, redelivery: bool) -> None:
    """Say what is about to be done."""
    click.echo(f"With {state.settings.api_url} ({environment_of(state)}), by itself:")

    for step in STEPS:
        sessions = f" [at most {step.sessions} session{'s' * (step.sessions > 1)}]"
        click.echo(f"- {step.says}{sessions if step.sessions else ''}")

    if pay:
        click.echo("With a person: pay, be declined, click back [3 sessions, one of them paid]")

    if redelivery and pay:
        click.echo(
            "Redelivery: let one session expire, refuse the callbacks of the three above "
            f"[1 session, {WITH_PAYER} minutes]"
        )

    elif redelivery:
        click.echo(
            "Redelivery: let three sessions expire, refuse their callbacks "
            f"[3 sessions, {ALONE} minutes]"
        )

    click.echo(f"Between two calls it waits {PAUSE:g} s. Sessions that are not paid expire.\n")
