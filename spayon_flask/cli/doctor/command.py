"""`flask spayon doctor`: what is wrong with this shop, and what to do about it."""

from __future__ import annotations

from dataclasses import asdict

import click
from flask.cli import with_appcontext

from ...state import Current
from ..command import Command
from ..terminal import print_json
from .connection import check_callback_route
from .connection import check_clock
from .connection import check_credentials
from .connection import check_reachability
from .finding import OK
from .finding import UNKNOWN
from .finding import WRONG
from .finding import Check
from .finding import Finding
from .finding import exit_code
from .finding import joined
from .finding import look
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
from .wiring import check_cookie
from .wiring import check_earlier_work
from .wiring import check_handlers
from .wiring import check_policy


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

_MARKS = {OK: ("ok", "green"), WRONG: ("WRONG", "red"), UNKNOWN: ("?", "yellow")}

_HELP = """Look whether payments can work here, and say what to do if they cannot.

Exits with 0 when all is proven, 1 when something is wrong, 2 when something could not be told.
Nothing is changed and nothing is paid; a token is bought, and two callbacks that are no reports are
posted to the shop.
"""


def create_doctor(current: Current) -> click.Command:
    """Return the command for the current app."""

    @click.command("doctor", cls=Command, help=_HELP)
    @click.option("--offline", is_flag=True, help="Leave out what takes the network.")
    @click.option("--json", "as_json", is_flag=True, help="For scripts.")
    @with_appcontext
    def doctor(offline: bool, as_json: bool) -> None:
        state = current()
        checks = _HERE if offline else _HERE | _ELSEWHERE
        findings = [
            finding for name, check in checks.items() for finding in look(state, name, check)
        ]
        code = exit_code(findings)

        if as_json:
            print_json({"exit_code": code, "findings": [asdict(each) for each in findings]})

        else:
            _print(findings)

        raise click.exceptions.Exit(code)

    return doctor


def _print(findings: list[Finding]) -> None:
    for finding in joined(findings):
        mark, colour = _MARKS[finding.state]
        click.echo(f"{click.style(f'{mark:5}', fg=colour)}  {finding.check}: {finding.says}")

        if finding.do:
            click.echo(f"       -> {finding.do}")
