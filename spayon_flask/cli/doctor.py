"""`flask spayon doctor`: what is wrong with this shop, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NamedTuple

import click

from ..state import AppState, Vendors
from ..storage.database_errors import database_trouble
from ..storage.ledger import Filter
from . import shop_checks, table_checks
from .command import all_meant, command
from .terminal import print_json


class _Finding(NamedTuple):
    """The *state* of one thing (ok, wrong, unknown): what it *says*, and what to *do* about it."""

    check: str
    state: str
    says: str
    do: str = ""


_Check = Callable[[AppState], table_checks.Findings]

#: Each check by its name, and what is said if it finds nothing, which is well; "" says nothing.
_HERE: dict[str, tuple[_Check, str]] = {
    "settings": (shop_checks.check_settings, ""),
    "secrets": (shop_checks.check_secrets, "set"),
    "handlers": (shop_checks.check_handlers, ""),
    "callback route": (shop_checks.check_callback_route, ""),
    "database": (table_checks.check_database, "answers"),
}

#: Those of the tables, of which nothing more can be told if one of the first two fails.
_IN_TABLES: dict[str, tuple[_Check, str]] = {
    "tables": (table_checks.check_tables, "as they should be"),
    "transactions": (table_checks.check_transactions, "kept"),
    "encoding": (table_checks.check_encoding, ""),
    "accounts": (table_checks.check_accounts, "each has its Spayon object"),
    "gateways": (table_checks.check_gateways, "all payments are of the present one"),
    "pages": (shop_checks.check_pages, "they render in the shop's frame"),
    "order keys": (table_checks.check_order_keys, "no stranger can count them"),
    "pending payments": (table_checks.check_pending, "none is overdue"),
    "failing handlers": (table_checks.check_failing, "none"),
    "reconcile": (table_checks.check_heartbeat, ""),
    "reviews": (table_checks.check_reviews, "nothing is under review"),
    "dispatcher": (table_checks.check_dispatcher, "nothing waits to be handed over"),
    "unknown reports": (table_checks.check_unknown, "none in a week"),
    "rotation": (table_checks.check_rotation, ""),
}

_ELSEWHERE: dict[str, tuple[_Check, str]] = {
    "token cache": (shop_checks.check_token_cache, ""),
    "credentials": (shop_checks.check_credentials, ""),
    "clock": (shop_checks.check_clock, ""),
    "callback URL": (shop_checks.check_callback_url, ""),
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


@command(_HELP)
@click.option("--offline", is_flag=True, help="Leave out what takes the network.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def doctor(offline: bool, as_json: bool) -> None:
    found = all_meant()
    checks = _HERE | _IN_TABLES | ({} if offline else _ELSEWHERE)

    if isinstance(found, Vendors):
        findings = _look_at_all(found, checks)

    else:
        findings = _look_at(found, checks)

    states = {each.state for each in findings}
    code = 1 if "wrong" in states else 2 if "unknown" in states else 0

    if as_json:
        print_json({"exit_code": code, "findings": [each._asdict() for each in findings]})

    else:
        _print(findings)

    raise click.exceptions.Exit(code)


def _look_at(state: AppState, checks: Mapping[str, tuple[_Check, str]]) -> list[_Finding]:
    left_out = set() if state.settings.callback_secrets else set(_SIGNED)
    findings: list[_Finding] = []

    for name, (check, fine) in checks.items():
        if name in left_out:
            continue

        found = _look(state, name, check, fine)
        findings += found

        if name in ("database", "tables") and found[0].state != "ok":
            left_out |= set(_IN_TABLES)

    return findings


def _look_at_all(found: Vendors, checks: Mapping[str, tuple[_Check, str]]) -> list[_Finding]:
    """Look at the shop once, and at each vendor who has payments: a line each."""
    accounts = _trading(found)
    theirs = {name: checks[name] for name in _OF_VENDOR if name in checks}
    shop = {name: check for name, check in checks.items() if name not in theirs}
    with_credentials = [each for each in accounts or () if each.settings.client_id]
    # Without a payment nobody knows a vendor by name, and the shop can be looked at all the same.
    findings = _look_at([*with_credentials, *(accounts or ()), found.bare("-")][0], shop)

    if accounts == []:
        do = f"`flask {found.name} doctor --vendor NAME` looks at one"
        findings.append(_Finding("vendors", "unknown", "none of them has payments", do))

    for state in accounts or ():
        bad = [each for each in _look_at(state, theirs) if each.state != "ok"]
        line = _Finding(f"vendor {state.vendor}", "ok", "nothing is wrong")

        if bad:
            worst = min(bad, key=lambda each: each.state != "wrong")
            do = f"`flask {found.name} doctor --vendor {state.vendor}` says more"
            line = _Finding(line.check, worst.state, f"{worst.check}: {worst.says}", do)

        findings.append(line)

    return findings


def _trading(found: Vendors) -> list[AppState] | None:
    """Return the vendors who have payments; None if the database does not tell."""
    try:
        # One who has gone matters for as long as something is pending.
        return [
            each
            for each in found.accounts()
            if each.settings.client_id or each.storage.ledger.count(Filter(), "pending")
        ]

    except Exception as error:
        # Why, the checks of the database and of the tables say.
        if database_trouble(error) is None:
            raise

        return None


def _look(state: AppState, name: str, check: _Check, fine: str) -> list[_Finding]:
    """Return what *check* finds; a check that fails itself is a finding of that *name*."""
    try:
        found = [_Finding(name, *each) for each in check(state)]
        return found or ([_Finding(name, "ok", fine)] if fine else [])

    except Exception as error:  # noqa: BLE001  one failed check must not hide what the others find
        # Ours says what to do; of others the name is enough, since the text may hold addresses.
        if trouble := str(error) if isinstance(error, ValueError) else database_trouble(error):
            return [_Finding(name, "wrong", trouble, "correct that first")]

        says = f"the check ended with {type(error).__name__}"
        return [_Finding(name, "unknown", says, "mend the others first")]

    finally:
        # A check that failed in the database leaves a transaction that nothing more works in.
        # If the connection is gone, even the rollback fails.
        with suppress(Exception):
            state.storage.queries.look_again()


def _print(findings: list[_Finding]) -> None:
    for finding in findings:
        mark, colour = _MARKS[finding.state]
        click.echo(f"{click.style(f'{mark:5}', fg=colour)}  {finding.check}: {finding.says}")

        if finding.do:
            click.echo(f"       -> {finding.do}")
