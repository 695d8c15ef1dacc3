"""Checks of the gateway: its answer to our credentials, and its clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from ...client.probe import probe
from ...errors import AuthenticationError
from ...errors import GatewayError
from ...errors import GatewayUnavailableError
from ...state import AppState
from .finding import Finding
from .finding import ok
from .finding import unknown
from .finding import wrong


#: Clocks may differ so much; more, and a payer reads of minutes that are not there.
_TOLERANCE = timedelta(seconds=60)


def check_credentials(state: AppState) -> Iterator[Finding]:
    """Ask for a token."""
    try:
        token = state.client.request_token()

    except AuthenticationError as error:
        yield wrong("credentials", str(error), f"correct {state.config_prefix}CLIENT_ID, _SECRET")

    except GatewayUnavailableError as error:
        yield unknown("credentials", str(error), "try again; look at API_URL and the way out")

    except GatewayError as error:
        yield wrong("credentials", str(error), f"correct {state.config_prefix}API_URL")

    else:
        yield ok("credentials", f"accepted; the token is good for {token.expires_in:.0f} s")


def check_clock(state: AppState) -> Iterator[Finding]:
    """Compare the clock of this machine with the gateway's."""
    settings = state.settings
    answer = probe(settings.api_url + "/", timeout=settings.timeout)
    theirs = answer.date

    if theirs is None:
        yield unknown(
            "clock", answer.error or "the gateway does not tell the time", "look whether NTP runs"
        )
        return

    difference = state.clock() - theirs

    if abs(difference) > _TOLERANCE:
        yield wrong(
            "clock",
            f"it is {difference.total_seconds():+.0f} s off from the gateway's",
            "let NTP set the clock of this machine",
        )

    else:
        yield ok("clock", f"{difference.total_seconds():+.0f} s from the gateway's")
