"""Checks over the network: the gateway, and the shop as the world sees it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from ...client.probe import Probed
from ...client.probe import probe
from ...errors import AuthenticationError
from ...errors import GatewayError
from ...errors import GatewayUnavailableError
from ...signing import sign
from ...state import AppState
from .callback_answer import judge_answer
from .finding import Finding
from .finding import ok
from .finding import unknown
from .finding import wrong
from .wiring import doctors


#: Clocks may differ so much; more, and a payer reads of minutes that are not there.
_TOLERANCE = timedelta(seconds=60)

#: Signed, and no report: nothing is recorded, but only who knows the secret says why not.
_NO_REPORT = b"{}"


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


def check_reachability(state: AppState) -> Iterator[Finding]:
    """Post to the callback route under PUBLIC_URL: unsigned, then signed but empty."""
    settings = state.settings

    if settings.public_url is None:
        return

    url = settings.public_url + state.urls.path("callback")
    answer = _post(state, url, {})

    if answer.certificate:
        yield wrong("callback URL", f"{url}: {answer.error}", "renew or complete the certificate")
        return

    if answer.status is None:
        yield unknown(
            "callback URL",
            f"{url}: {answer.error}, seen from this machine",
            "look at it from outside; if it does not answer there either, nobody can call back",
        )
        return

    finding = judge_answer("callback URL", answer.status, answer.body, answer.headers.get)
    yield finding

    if finding.state == "ok":
        yield _same_secret(state, url)


def _same_secret(state: AppState, url: str) -> Finding:
    """Find out whether the processes that answer there have the secret that we have here."""
    signature = sign(_NO_REPORT, state.settings.callback_secrets[0])
    answer = _post(state, url, {"X-Signature": signature})

    if answer.status == 400:  # noqa: PLR2004  known signature, no report
        return ok("callback URL", "the shop that answers there has the same callback secret")

    return wrong(
        "callback URL",
        "the shop that answers there has another callback secret than this shell",
        "restart it, or give both the same CALLBACK_SECRET",
    )


def _post(state: AppState, url: str, headers: dict[str, str]) -> Probed:
    return probe(
        url,
        method="POST",
        body=_NO_REPORT,
        headers={"Content-Type": "application/json", **doctors(state), **headers},
        timeout=state.settings.timeout,
    )
