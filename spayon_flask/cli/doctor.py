"""`flask spayon doctor`: what is wrong with this shop, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

import click
from flask.cli import with_appcontext

from ..state import Accounts, AppState, Vendors
from ..storage.database_errors import database_trouble
from . import connection_checks, shop_checks, table_checks
from .command import Command, named_vendor
from .terminal import print_json

_NO_DATABASE = "the database cannot be asked"


class _Finding(NamedTuple):
    """The *state* of one thing (ok, wrong, unknown): what it *says*, and what to *do* about it."""

    check: str
    state: str
    says: str
    do: str = ""


#: A check yields state, text and advice of what it finds. If it finds nothing, all is well.
_Check = Callable[[AppState], Iterator[tuple[str, ...]]]

#: Each check by its name, and what is said if it finds nothing; "" says nothing.
_HERE: dict[str, tuple[_Check, str]] = {
    "settings": (shop_checks.check_settings, ""),
    "secrets": (shop_checks.check_secrets, "set"),
    "environment": (shop_checks.check_environment, ""),
    "public URL": (shop_checks.check_public_url, ""),
    "handlers": (shop_checks.check_handlers, ""),
    "callback route": (connection_checks.check_callback_route, ""),
    "pages": (shop_checks.check_pages, ""),
    "database": (table_checks.check_database, "answers, and keeps transactions"),
    "tables": (table_checks.check_tables, "as they should be"),
    "encoding": (table_checks.check_encoding, ""),
    "accounts": (table_checks.check_accounts, "each has its Spayon object"),
    "gateways": (table_checks.check_gateways, ""),
    "order keys": (shop_checks.check_order_keys, "nobody can count them"),
    "pending payments": (table_checks.check_pending, "none is overdue"),
    "failing handlers": (table_checks.check_failing, "none"),
    "reconcile": (table_checks.check_heartbeat, ""),
    "reviews": (table_checks.check_reviews, "nothing is under review"),
    "dispatcher": (table_checks.check_dispatcher, "nothing waits to be handed over"),
    "unknown reports": (table_checks.check_unknown, "none in a week"),
    "rotation": (table_checks.check_rotation, ""),
}

_ELSEWHERE: dict[str, tuple[_Check, str]] = {
    "token cache": (connection_checks.check_token_cache, ""),
    "credentials": (connection_checks.check_credentials, ""),
    "clock": (connection_checks.check_clock, ""),
    "callback URL": (connection_checks.check_reachability, ""),
}

#: Those that differ from vendor to vendor; all others are of the shop.
_OF_VENDOR = (
    *("secrets", "pending payments", "failing handlers", "reviews", "dispatcher"),
    *("unknown reports", "credentials"),
)

#: These sign something, which nobody can do for a vendor who has gone.
_SIGNED = ("callback route", "callback URL")

_MARKS = {"ok": ("ok", "green"), "wrong": ("WRONG", "red"), "unknown": ("?", "yellow")}

_HELP = """Look whether payments can work here, and say what to do if they cannot.

Exits with 0 when all is proven, 1 when something is wrong, 2 when something could not be told.
Nothing is changed and nothing is paid; a token is bought, and two callbacks that are no reports are
posted to the shop.
"""


def create_doctor(accounts: Accounts) -> click.Command:
    """Return the command for the current app."""

    @click.command("doctor", cls=Command, help=_HELP)
    @click.option("--offline", is_flag=True, help="Leave out what takes the network.")
    @click.option("--json", "as_json", is_flag=True, help="For scripts.")
    @with_appcontext
    def doctor(offline: bool, as_json: bool) -> None:
        found, vendor = accounts(), named_vendor()
        checks = _HERE if offline else _HERE | _ELSEWHERE

        if isinstance(found, Vendors) and vendor is None:
            findings = _look_at_all(found, checks)

        else:
            findings = _look_at(found.kept(vendor), checks)

        states = {each.state for each in findings}
        code = 1 if "wrong" in states else 2 if "unknown" in states else 0

        if as_json:
            print_json({"exit_code": code, "findings": [each._asdict() for each in findings]})

        else:
            _print(findings)

        raise click.exceptions.Exit(code)

    return doctor


def _look_at(state: AppState, checks: Mapping[str, tuple[_Check, str]]) -> list[_Finding]:
    left_out = () if state.settings.callback_secrets else _SIGNED
    names = [name for name in checks if name not in left_out]
    return [each for name in names for each in _look(state, name, *checks[name])]


def _look_at_all(found: Vendors, checks: Mapping[str, tuple[_Check, str]]) -> list[_Finding]:
    """Look at the shop once, and at each vendor who has payments: a line each."""
    accounts = found.accounts()

    if not accounts:
        do = f"`flask {found.name} doctor --vendor NAME` looks at one"
        return [_Finding("vendors", "unknown", "none of them has a payment yet", do)]

    theirs = {name: checks[name] for name in _OF_VENDOR if name in checks}
    shop = {name: check for name, check in checks.items() if name not in theirs}
    trading = [each for each in accounts if each.settings.client_id]
    findings = _look_at((trading or accounts)[0], shop)

    for state in accounts:
        bad = [each for each in _look_at(state, theirs) if each.state != "ok"]
        worst = min(bad, key=lambda each: each.state != "wrong", default=None)
        name = f"vendor {state.vendor}"

        if worst is None:
            findings.append(_Finding(name, "ok", "nothing is wrong"))

        else:
            do = f"`flask {found.name} doctor --vendor {state.vendor}` says more"
            findings.append(_Finding(name, worst.state, f"{worst.check}: {worst.says}", do))

    return findings


def _look(state: AppState, name: str, check: _Check, fine: str) -> list[_Finding]:
    """Return what *check* finds; a check that fails itself is a finding of that *name*."""
    try:
        found = [_Finding(name, *each) for each in check(state)]
        return found or ([_Finding(name, "ok", fine)] if fine else [])

    except Exception as error:  # noqa: BLE001  one failed check must not hide what the others find
        # Ours says what to do; of others the name is enough, since the text may hold addresses.
        if isinstance(error, ValueError):
            return [_Finding(name, "wrong", str(error), "correct that first")]

        # Why, is what the checks of the database and of the tables say.
        if database_trouble(error) is not None:
            return [_Finding(name, "unknown", _NO_DATABASE)]

        says = f"the check ended with {type(error).__name__}"
        return [_Finding(name, "unknown", says, "mend the others first")]

    finally:
        # A check that failed in the database leaves a transaction that nothing more works in.
        # If the connection is gone, even the rollback fails.
        with suppress(Exception):
            state.storage.queries.look_again()


def _print(findings: list[_Finding]) -> None:
    """Print a line for each finding; that the database cannot be asked is said once."""
    cut_off = [each for each in findings if each.says == _NO_DATABASE]
    shown = [each for each in findings if each not in cut_off]

    if cut_off:
        shown.append(cut_off[0]._replace(check=", ".join(each.check for each in cut_off)))

    for finding in shown:
        mark, colour = _MARKS[finding.state]
        click.echo(f"{click.style(f'{mark:5}', fg=colour)}  {finding.check}: {finding.says}")

        if finding.do:
            click.echo(f"       -> {finding.do}")
