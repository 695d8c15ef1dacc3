"""Transport: one POST to a shop, what came of it, and the likely cause in words if it failed."""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from urllib.parse import SplitResult, urlsplit

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
    "certificate": (
        "The shop's certificate is not trusted here: it is self-signed, has expired, or is for "
        "another name. For a shop in development start the simulator with --skip-verify."
    ),
    "no TLS": "What listens there does not speak TLS: should the URL begin with http:// ?",
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
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def location(self) -> str:
        """Return where the shop redirects to, "" if it does not."""
        return next((value for name, value in self.headers if name.lower() == "location"), "")


Transport = Callable[[str, bytes, Mapping[str, str]], Answer]


class Post:
    """POST to shops: *patience* returns the seconds that one has for its whole answer.

    With *verify* off the certificate of a shop may be anybody's. No redirect is followed.
    """

    def __init__(self, patience: Callable[[], float], *, verify: bool = True) -> None:
        self._patience = patience
        self._verify = verify

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post *body* to *url*, and wait for the answer."""
        patience, over = self._patience(), threading.Event()
        parts = urlsplit(url)
        connection = self._connection(parts, patience)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        # The connection forgets its socket as soon as an answer says `Connection: close`.
        lines: list[socket.socket] = []

        def hang_up() -> None:
            over.set()
            for line in filter(None, (connection.sock, *lines)):
                with suppress(OSError):
                    # The socket below TLS, which another thread may be reading from.
                    socket.socket.shutdown(line, socket.SHUT_RDWR)

        # A socket's own time-out begins anew with each byte.
        timer = threading.Timer(patience, hang_up)
        timer.daemon = True
        timer.start()
        try:
            connection.connect()
            lines.append(connection.sock)
            connection.request("POST", target, body=body, headers=dict(headers))
            response = connection.getresponse()
            said = response.read(KEPT)
            if over.is_set():
                return Answer(None, error="timeout")

            return Answer(response.status, said, headers=tuple(response.getheaders()))
        except (OSError, http.client.HTTPException, ValueError) as error:
            return Answer(None, error="timeout" if over.is_set() else _in_words(error))
        finally:
            timer.cancel()
            connection.close()

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        tls = ssl.create_default_context()
        if not self._verify:
            tls.check_hostname = False
            tls.verify_mode = ssl.CERT_NONE

        return tls

    def _connection(self, parts: SplitResult, patience: float) -> http.client.HTTPConnection:
        host = parts.hostname or ""
        if parts.scheme == "https":
            return http.client.HTTPSConnection(
                host, parts.port, timeout=patience, context=self._tls
            )

        return http.client.HTTPConnection(host, parts.port, timeout=patience)


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


def _by_class(code: int, location: str) -> str:
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

    if isinstance(error, ssl.SSLError):
        return "certificate" if isinstance(error, ssl.SSLCertVerificationError) else "no TLS"

    if isinstance(error, ConnectionError | http.client.RemoteDisconnected):
        return "disconnected"

    return f"{type(error).__name__}: {error}"
