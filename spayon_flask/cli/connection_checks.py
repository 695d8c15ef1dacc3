"""Connection checks of `doctor`: to the gateway and the token cache, and from the world to us."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from flask import current_app

from ..client.connections import Probed, probe
from ..domain.signing import CHALLENGE, DOCTOR_HEADER, DOCTOR_WORD, sign
from ..errors import AuthenticationError, GatewayError, GatewayUnavailableError
from ..state import AppState

#: Clocks may differ so much; more, and a payer reads of minutes that are not there.
_TOLERANCE = timedelta(seconds=60)

#: Signed, and no report: nothing is recorded, but only who knows the secret says why not.
_NO_REPORT = b"{}"

#: What pickled bytes begin with.
_PICKLE = b"\x80"

_REDIRECTS = (301, 302, 303, 307, 308)

#: By the status with which an unsigned callback is answered: what that means, and what to do.
_BY_STATUS = {
    200: ("it is accepted, so not this shop answers", "let the address lead to this app"),
    401: ("something asks for a login", "exempt the callback: Spayon has no login, it signs"),
    403: ("something forbids it: a firewall, a login, CSRF protection", "exempt the callback"),
    404: ("there is no such route", "compare PUBLIC_URL, the proxy's prefix and the url_prefix"),
    405: ("another route stands in its place", "give the blueprint a url_prefix of its own"),
    413: ("the proxy takes no body", "let it take at least 64 KiB"),
}


def check_credentials(state: AppState) -> Iterator[tuple[str, ...]]:
    """Ask for a token."""
    try:
        token = state.client.request_token()

    except AuthenticationError as error:
        ours = f"{state.config_prefix}CLIENT_ID, _SECRET"
        what = "what credentials= returns" if state.vendor else ours
        yield "wrong", str(error), f"correct {what}"

    except GatewayUnavailableError as error:
        yield "unknown", str(error), "try again; look at API_URL and the way out"

    except GatewayError as error:
        yield "wrong", str(error), f"correct {state.config_prefix}API_URL"

    else:
        yield "ok", f"accepted; the token is good for {token.expires_in:.0f} s"


def check_clock(state: AppState) -> Iterator[tuple[str, ...]]:
    """Compare the clock of this machine with the gateway's."""
    answer = probe(state.settings.api_url + "/", timeout=state.settings.timeout)

    if answer.date is None:
        says = answer.error or "the gateway does not tell the time"
        yield "unknown", says, "look whether NTP runs"
        return

    difference = state.clock() - answer.date
    says = f"{difference.total_seconds():+.0f} s from the gateway's"

    if abs(difference) > _TOLERANCE:
        yield "wrong", says, "let NTP set the clock of this machine"

    else:
        yield "ok", says


def check_callback_route(state: AppState) -> Iterator[tuple[str, ...]]:
    """Post an unsigned callback within this process, past all that the app puts before it."""
    response = current_app.test_client().post(
        state.urls.path("callback"),
        data=_NO_REPORT,
        content_type="application/json",
        headers=_doctors(state),
        base_url=state.settings.public_url,
    )
    yield _judge(response.status_code, response.data, response.headers.get)


def check_reachability(state: AppState) -> Iterator[tuple[str, ...]]:
    """Post to the callback route under PUBLIC_URL: unsigned, then signed but empty."""
    settings = state.settings

    if settings.public_url is None:
        return

    url = settings.public_url + state.urls.path("callback")
    answer = _post(state, url, {})

    if answer.certificate:
        yield "wrong", f"{url}: {answer.error}", "renew or complete the certificate"

    elif answer.status is None:
        says = f"{url}: {answer.error}, seen from this machine"
        yield "unknown", says, "look from outside; if it is so there too, nobody can call back"

    else:
        finding = _judge(answer.status, answer.body, answer.headers.get)
        yield finding

        if finding[0] == "ok":
            yield _same_secret(state, url)


def _same_secret(state: AppState, url: str) -> tuple[str, ...]:
    """Find out whether the processes that answer there have the secret that we have here."""
    signature = sign(_NO_REPORT, state.settings.callback_secrets[0])
    answer = _post(state, url, {"X-Signature": signature})

    if answer.status == 400:  # noqa: PLR2004  known signature, no report
        return "ok", "the shop that answers there has the same callback secret"

    if answer.status == 401:  # noqa: PLR2004  an HTTP status
        says = "the shop that answers there has another callback secret than this shell"
        return "wrong", says, "give both the same, and restart; let nothing change the body"

    says = f"a signed callback is answered with {answer.status}: {_text(answer.body)}"
    return "wrong", says, "look what stands between the web server and the view"


def _post(state: AppState, url: str, headers: dict[str, str]) -> Probed:
    return probe(
        url,
        method="POST",
        body=_NO_REPORT,
        headers={"Content-Type": "application/json", **_doctors(state), **headers},
        timeout=state.settings.timeout,
    )


def _doctors(state: AppState) -> dict[str, str]:
    """Return the header of a callback that the shop does not log, since we sent it ourselves."""
    return {DOCTOR_HEADER: sign(DOCTOR_WORD, state.settings.callback_secrets[0])}


def _judge(status: int, body: bytes, header: Callable[[str], str | None]) -> tuple[str, ...]:
    """Return what the answer to an unsigned callback says; only our own 401 is right.

    *header* looks one of its headers up.
    """
    if status == 401 and header("WWW-Authenticate") == CHALLENGE:  # noqa: PLR2004  an HTTP status
        return "ok", "refuses an unsigned callback, as it must"

    if status in _REDIRECTS:
        says = f"it redirects to {header('Location')}, and Spayon does not follow"
        return "wrong", says, "exempt the callback; let PUBLIC_URL name the final address"

    if b"csrf" in body.lower():
        do = "exempt the callback: csrf.exempt(app.view_functions['spayon.callback'])"
        return "wrong", "CSRF protection refuses it", do

    if status >= 500:  # noqa: PLR2004  an HTTP status
        says = f"it answers {status}: the proxy does not reach the app, or the app fails"
        return "wrong", says, "look into the logs of both"

    says, do = _BY_STATUS.get(status, (_text(body), "look what answers in its place"))
    return "wrong", f"it answers {status}: {says}", do


def _text(body: bytes) -> str:
    """Return the beginning of an answer in one printable line."""
    line = " ".join(body.decode(errors="replace").split())
    return "".join(filter(str.isprintable, line))[:200]


def check_token_cache(state: AppState) -> Iterator[tuple[str, ...]]:
    """Look how the shared cache is set up, then put something into it and take it out again."""
    cache: Any = state.settings.token_cache

    if cache is None:
        return

    # Flask-Caching's object has the cache itself under this name.
    backend = getattr(cache, "cache", cache)

    if (redis := _redis_connection(backend)) is not None:
        if redis.socket_timeout is None:
            says = "its Redis client has no socket_timeout: a Redis that hangs stops the shop"
            yield "wrong", says, "give the cache socket_timeout=1 and socket_connect_timeout=1"
            return

        written = backend.serializer.dumps(["doctor"])

        if isinstance(written, bytes) and _PICKLE in written:
            says = "it unpickles what it reads: whoever writes to that Redis runs code in the shop"
            yield "wrong", says, "give it the JSON serializer of the documentation (Neighbours)"

    yield _try_cache(cache)


def _redis_connection(cache: Any) -> Any:
    """Return a connection, not opened, as a cache in Redis makes them; None for another cache."""
    pools = [
        getattr(part, "connection_pool", None) for part in getattr(cache, "__dict__", {}).values()
    ]
    pool = next((each for each in pools if each is not None), None)
    return pool and pool.connection_class(**pool.connection_kwargs)


def _try_cache(cache: Any) -> tuple[str, ...]:
    key = "spayon:doctor"

    try:
        cache.set(key, "here", timeout=10)
        kept = cache.get(key) == "here"
        cache.delete(key)

    except Exception as error:  # noqa: BLE001  each backend has its own
        says = f"TOKEN_CACHE fails with {type(error).__name__}"
        return "wrong", says, "look whether its server runs; until then each process buys a token"

    if kept:
        return "ok", "works"

    return "wrong", "TOKEN_CACHE forgets at once", "in files it needs a folder that can be written"
