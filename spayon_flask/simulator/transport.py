"""One POST to a shop, and what came of it."""

import http.client
import time
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit


#: Seconds to wait for a shop. How long Spayon waits is not documented.
PATIENCE = 10.0

#: Bytes of a shop's answer that are kept, to be shown.
KEPT = 4000


@dataclass(frozen=True)
class Answer:
    """What came back: a status code and a body, or else the *error* that kept them away."""

    status_code: int | None
    body: bytes = b""
    error: str | None = None
    location: str | None = None


Transport = Callable[[str, bytes, Mapping[str, str]], Answer]


def post(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """Post *body* to *url*, following no redirect."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = connect(parts.hostname or "", parts.port, timeout=PATIENCE)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    try:
        connection.request("POST", target, body=body, headers=dict(headers))
        response = connection.getresponse()
        return Answer(response.status, response.read(KEPT), location=response.getheader("Location"))
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Answer(None, error=_in_words(error))
    finally:
        connection.close()


def timed(
    transport: Transport, url: str, body: bytes, headers: Mapping[str, str]
) -> tuple[Answer, float]:
    """Return what *transport* brings back, and how many seconds it took."""
    start = time.perf_counter()
    answer = transport(url, body, headers)
    return answer, time.perf_counter() - start


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
