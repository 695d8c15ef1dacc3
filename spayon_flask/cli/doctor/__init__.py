"""`flask spayon doctor`: what is wrong with this shop, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import asdict

import click
from flask.cli import with_appcontext

from ...state import AppState
from ...state import Current
from ..command import Command
from ..output import print_json
from .finding import OK
from .finding import UNKNOWN
from .finding import WRONG
from .finding import Finding
from .finding import exit_code
from .finding import unknown
from .finding import wrong
from .network import check_clock
from .network import check_credentials
from .network import check_reachability
from .policy import check_policy
from .records import check_hand_over
from .records import check_pending
from .records import check_reviews
from .records import check_rotation
from .records import check_tables
from .records import check_unknown
from .settings import check_environment
from .settings import check_public_url
from .settings import check_rehearsal
from .settings import check_secrets
from .settings import check_settings
from .settings import check_token_cache
from .wiring import check_callback_route
from .wiring import check_cookie
from .wiring import check_handlers


Check = Callable[[AppState], Iterator[Finding]]

_HERE: tuple[Check, ...] = (
    check_settings,
    check_secrets,
    check_environment,
    check_public_url,
    check_handlers,
    check_callback_route,
    check_cookie,
    check_tables,
    check_policy,
    check_pending,
    check_reviews,
    check_hand_over,
    check_unknown,
    check_rotation,
    check_rehearsal,
)

_ELSEWHERE: tuple[Check, ...] = (
    check_token_cache,
    check_credentials,
    check_clock,
    check_reachability,
)

_MARKS = {OK: ("ok", "green"), WRONG: ("WRONG", "red"), UNKNOWN: ("?", "yellow")}

_HELP = """Look whether payments can work here, and say what to do where they cannot.

Exits with 0 when all is proven, 1 when something is wrong, 2 when something could not be told.
Nothing is changed and nothing is paid; a token is bought, and two callbacks that are no reports are
posted to the shop.
"""


def create_command(current: Current) -> click.Command:
    """Return the command for the current app."""

    @click.command("doctor", cls=Command, help=_HELP)
    @click.option("--offline", is_flag=True, help="Leave out what takes the network.")
    @click.option("--json", "as_json", is_flag=True, help="For scripts.")
    @with_appcontext
    def doctor(offline: bool, as_json: bool) -> None:
        state = current()
        checks = _HERE if offline else _HERE + _ELSEWHERE
        findings = [finding for check in checks for finding in _findings(state, check)]
        code = exit_code(findings)

        if as_json:
            print_json({"exit_code": code, "findings": [asdict(each) for each in findings]})

        else:
            _print(findings)

        raise click.exceptions.Exit(code)

    return doctor


def _findings(state: AppState, check: Check) -> list[Finding]:
    try:
        return list(check(state))

    except Exception as error:  # noqa: BLE001  one failed check must not hide what the others find
        name = check.__name__.removeprefix("check_").replace("_", " ")

        # Ours says what to do; of others the name is enough, since the text may hold addresses.
        if isinstance(error, ValueError):
            return [wrong(name, str(error), "correct that first")]

        return [
            unknown(name, f"the check ended with {type(error).__name__}", "mend the others first")
        ]

    finally:
        # A check that failed in the database leaves a transaction that nothing more works in.
        state.storage.queries.look_again()


def _print(findings: list[Finding]) -> None:
    for finding in findings:
        mark, colour = _MARKS[finding.state]
        click.echo(f"{click.style(f'{mark:5}', fg=colour)}  {finding.check}: {finding.says}")

        if finding.do:
            click.echo(f"       -> {finding.do}")
