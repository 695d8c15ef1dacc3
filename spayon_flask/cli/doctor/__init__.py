"""`flask spayon doctor`: what is wrong with this shop, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import asdict
from dataclasses import replace

import click
from flask.cli import with_appcontext

from ...state import AppState
from ...state import Current
from ...storage.database_errors import database_trouble
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
from .records import check_database
from .records import check_encoding
from .records import check_hand_over
from .records import check_heartbeat
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
from .wiring import check_earlier_work
from .wiring import check_handlers


Check = Callable[[AppState], Iterator[Finding]]

#: Each check by the name of its findings, which a check that fails itself is called by.
_HERE: dict[str, Check] = {
    "settings": check_settings,
    "secrets": check_secrets,
    "environment": check_environment,
    "public URL": check_public_url,
    "handlers": check_handlers,
    "before_request": check_earlier_work,
    "callback route": check_callback_route,
    "session cookie": check_cookie,
    "database": check_database,
    "tables": check_tables,
    "encoding": check_encoding,
    "form-action": check_policy,
    "pending payments": check_pending,
    "reconcile": check_heartbeat,
    "reviews": check_reviews,
    "dispatcher": check_hand_over,
    "unknown reports": check_unknown,
    "rotation": check_rotation,
    "rehearsal": check_rehearsal,
}

_ELSEWHERE: dict[str, Check] = {
    "token cache": check_token_cache,
    "credentials": check_credentials,
    "clock": check_clock,
    "callback URL": check_reachability,
}

_NO_DATABASE = "the database cannot be asked"

_MARKS = {OK: ("ok", "green"), WRONG: ("WRONG", "red"), UNKNOWN: ("?", "yellow")}

_HELP = """Look whether payments can work here, and say what to do if they cannot.

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
        checks = _HERE if offline else _HERE | _ELSEWHERE
        findings = [
            finding for name, check in checks.items() for finding in _findings(state, name, check)
        ]
        code = exit_code(findings)

        if as_json:
            print_json({"exit_code": code, "findings": [asdict(each) for each in findings]})

        else:
            _print(findings)

        raise click.exceptions.Exit(code)

    return doctor


def _findings(state: AppState, name: str, check: Check) -> list[Finding]:
    try:
        return list(check(state))

    except Exception as error:  # noqa: BLE001  one failed check must not hide what the others find
        # Ours says what to do; of others the name is enough, since the text may hold addresses.
        if isinstance(error, ValueError):
            return [wrong(name, str(error), "correct that first")]

        # Why, is what the checks of the database and of the tables say.
        if database_trouble(error) is not None:
            return [unknown(name, _NO_DATABASE, "")]

        return [
            unknown(name, f"the check ended with {type(error).__name__}", "mend the others first")
        ]

    finally:
        # A check that failed in the database leaves a transaction that nothing more works in.
        state.storage.queries.look_again()


def _print(findings: list[Finding]) -> None:
    for finding in _joined(findings):
        mark, colour = _MARKS[finding.state]
        click.echo(f"{click.style(f'{mark:5}', fg=colour)}  {finding.check}: {finding.says}")

        if finding.do:
            click.echo(f"       -> {finding.do}")


def _joined(findings: list[Finding]) -> Iterator[Finding]:
    """Yield the findings for a person, who need not read seven times of the same cause."""
    cut_off = [each for each in findings if each.says == _NO_DATABASE]
    yield from (each for each in findings if each.says != _NO_DATABASE)

    if cut_off:
        yield replace(cut_off[0], check=", ".join(each.check for each in cut_off))
