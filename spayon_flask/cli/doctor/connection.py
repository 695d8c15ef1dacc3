"""Checks of the connection: from here to the gateway, and from the world to the callback route."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from datetime import timedelta

from flask import current_app

from ...client.probe import Probed
from ...client.probe import probe
from ...errors import AuthenticationError
from ...errors import GatewayError
from ...errors import GatewayUnavailableError
from ...signing import CHALLENGE
from ...signing import DOCTOR_HEADER
from ...signing import DOCTOR_WORD
from ...signing import sign
from ...state import AppState
from .finding import Finding
from .finding import ok
from .finding import unknown
from .finding import wrong


#: Clocks may differ so much; more, and a payer reads of minutes that are not there.
_TOLERANCE = timedelta(seconds=60)

#: Signed, and no report: nothing is recorded, but only who knows the secret says why not.
_NO_REPORT = b"{}"

_REDIRECTS = (301, 302, 303, 307, 308)

_BY_STATUS = {
    200: (
        "an unsigned callback is accepted there: it is not this shop that answers",
        "let the address lead to this app, with nothing before it that answers in its place",
    ),
    401: (
        "something before it asks for a login",
        "exempt the callback from it: Spayon has no login, it signs",
    ),
    403: (
        "something before it forbids the request: a firewall, a login or CSRF protection",
        "exempt the callback from it: Spayon signs its POST",
    ),
    404: (
        "there is no such route",
        "compare PUBLIC_URL, the proxy's prefix and the url_prefix of the blueprint",
    ),
    405: (
        "another route stands in its place",
        "give the blueprint a url_prefix that nothing else uses",
    ),
    413: ("the proxy takes no body", "let it take at least 64 KiB"),
}


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


def check_callback_route(state: AppState) -> Iterator[Finding]:
    """Post an unsigned callback within this process, past all that the app puts before it."""
    response = current_app.test_client().post(
        state.urls.path("callback"),
        data=b"{}",
        content_type="application/json",
        headers=_doctors(state),
        base_url=state.settings.public_url,
    )
    yield _judge("callback route", response.status_code, response.data, response.headers.get)


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

    finding = _judge("callback URL", answer.status, answer.body, answer.headers.get)
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
        headers={"Content-Type": "application/json", **_doctors(state), **headers},
        timeout=state.settings.timeout,
    )


def _judge(check: str, status: int, body: bytes, header: Callable[[str], str | None]) -> Finding:
    """Return what the answer to an unsigned callback says; only our own 401 is right.

    *header* looks one of its headers up.
    """
    if status == 401 and header("WWW-Authenticate") == CHALLENGE:  # noqa: PLR2004  an HTTP status
        return ok(check, "refuses an unsigned callback, as it must")

    if status in _REDIRECTS:
        location = header("Location") or "another address"
        return wrong(
            check,
            f"it redirects to {location}, and Spayon does not follow",
            "exempt the callback from the login, and let PUBLIC_URL name the final address",
        )

    if b"csrf" in body.lower():
        return wrong(
            check,
            "CSRF protection refuses it",
            "exempt the callback: csrf.exempt(app.view_functions['spayon.callback'])",
        )

    if status >= 500:  # noqa: PLR2004  an HTTP status
        return wrong(
            check,
            f"it answers {status}: the proxy does not reach the app, or the app fails",
            "look into the logs of both",
        )

    says, do = _BY_STATUS.get(
        status, ("something before it refuses the request", "look what answers in its place")
    )
    return wrong(check, f"it answers {status}: {says}", do)


def _doctors(state: AppState) -> dict[str, str]:
    """Return the header of a callback that the shop does not log, since we sent it ourselves."""
    return {DOCTOR_HEADER: sign(DOCTOR_WORD, state.settings.callback_secrets[0])}
