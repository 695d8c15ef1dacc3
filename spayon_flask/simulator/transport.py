"""Transport: one POST to a shop, what came of it, and the likely cause in words if it failed."""

import http.client
import time
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit


#: Seconds to wait for a shop, if nothing else is asked for.
PATIENCE = 10.0

#: Bytes of a shop's answer that are kept, to be shown.
KEPT = 4000

ERRORS = {
    "refused": (
        "Nothing listens there. Is the shop running, and on the port that this URL names? The "
        "shop sent the URL as callback_url, so its own public address may be set wrongly."
    ),
    "timeout": (
        "The shop did not answer in time. Does its handler do slow work, or wait for a lock in "
        "the database? A shop with a single worker cannot answer while it asks the gateway."
    ),
    "unknown host": (
        "The name in this URL does not exist. The shop built it from the address that it believes "
        "to have: look at its public URL, and at the proxy in front of it."
    ),
    "disconnected": (
        "The shop closed the connection without an answer: it may have died, or is reloading."
    ),
}

CODES = {
    400: (
        "The shop found the request malformed. If every form of the shop has CSRF protection, the "
        "callback must be exempt from it: the signature protects it."
    ),
    401: (
        "The shop did not accept the signature. Is its callback secret the simulator's? Does "
        "anything in front of it rewrite the body? The signature is for the exact bytes."
    ),
    403: "The shop, or something in front of it, forbids it: a login, a CSRF check or a firewall.",
    404: "The shop has no such route. Is the blueprint registered under the prefix in this URL?",
    405: "The route is there but takes no POST: the URL names another page of the shop.",
    413: "The shop, or a proxy in front of it, finds the body too long; it is not.",
    415: "The shop does not take this content type; it should not depend on it.",
    429: "Something in front of the shop limits the rate; callbacks should be exempt.",
    500: "The shop's own code failed: the traceback is in its log. Mend it, and deliver again.",
    502: "The proxy in front of the shop got no answer from it: the process is down or was killed.",
    503: "The shop says that it is not available: it is starting, overloaded or in maintenance.",
    504: "The proxy in front of the shop gave up waiting for it.",
}


@dataclass(frozen=True)
class Answer:
    """What came back: a status code and a body, or else the *error* that kept them away."""

    status_code: int | None
    body: bytes = b""
    error: str | None = None
    location: str | None = None


Transport = Callable[[str, bytes, Mapping[str, str]], Answer]


def post(
    url: str, body: bytes, headers: Mapping[str, str], *, patience: float = PATIENCE
) -> Answer:
    """Post *body* to *url* and wait *patience* seconds at most; follow no redirect."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = connect(parts.hostname or "", parts.port, timeout=patience)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    try:
        connection.request("POST", target, body=body, headers=dict(headers))
        response = connection.getresponse()
        return Answer(response.status, response.read(KEPT), location=response.getheader("Location"))
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Answer(None, error=_in_words(error))
    finally:
        connection.close()


def post_within(
    patience: Callable[[], float], url: str, body: bytes, headers: Mapping[str, str]
) -> Answer:
    """Post *body* to *url*, and ask for the *patience* of this moment."""
    return post(url, body, headers, patience=patience())


def timed(
    transport: Transport, url: str, body: bytes, headers: Mapping[str, str]
) -> tuple[Answer, float]:
    """Return what *transport* brings back, and how many seconds it took."""
    start = time.perf_counter()
    answer = transport(url, body, headers)
    return answer, time.perf_counter() - start


def likely_cause(answer: Answer, *, taken: bool, tampering: str = "") -> str:
    """Return in words what is wrong with *answer*, "" if nothing is.

    *taken* tells whether the gateway takes the callback as delivered by it.
    """
    code = answer.status_code
    if code is None:
        return ERRORS.get(answer.error or "", f"The shop could not be asked: {answer.error}.")

    if taken:
        return f"The shop took it although {tampering}: it must not." if tampering else ""

    if code == HTTPStatus.UNAUTHORIZED and tampering:
        return f"As it should be: {tampering}, and the shop noticed."

    return CODES.get(code) or _by_class(code, answer.location)


def _by_class(code: int, location: str | None) -> str:
    if code < HTTPStatus.MULTIPLE_CHOICES:
        return f"{code} is a success to many, but Spayon delivers until it is answered 200."

    if code < HTTPStatus.BAD_REQUEST:
        return (
            f"The shop redirects{f' to {location}' if location else ''}, and a POST is not carried "
            "along. A missing slash at the end, http in place of https, or a login does this."
        )

    return "The shop refused the request, or failed at it; look at its log."


def _in_words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "timeout"

    if isinstance(error, ConnectionRefusedError):
        return "refused"

    if isinstance(error, OSError) and type(error).__name__ == "gaierror":
        return "unknown host"

    if isinstance(error, ConnectionError | http.client.RemoteDisconnected):
        return "disconnected"

    return f"{type(error).__name__}: {error}"
