"""What an answer to an unsigned callback tells of what stands before the route."""

from __future__ import annotations

from collections.abc import Callable

from ...signing import CHALLENGE
from .finding import Finding
from .finding import ok
from .finding import wrong


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


def judge_answer(
    check: str, status: int, body: bytes, header: Callable[[str], str | None]
) -> Finding:
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
