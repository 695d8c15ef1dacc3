"""Connections: what carries our calls, or stands in for the network; and one plain request."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse
from urllib3.exceptions import (
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
)

from ..settings import is_loopback

#: Connections kept alive; threads beyond that many open one for the call.
POOL_SIZE = 64

#: This machine is asked directly.
_NO_PROXY = {"http": "", "https": ""}

#: Bytes of an answer that are looked at.
KEPT = 4096

#: An answer that trickles in is given up after this many read time-outs.
_PATIENCE = 3

#: Answers one request, given as method, URL, headers and body, with status, headers and body.
Exchange = Callable[[str, str, Mapping[str, str], bytes], tuple[int, Mapping[str, str], bytes]]


def new_http(base_url: str, exchange: Exchange | None) -> requests.Session:
    """Return what sends requests to *base_url*, or has *exchange* answer them."""
    http = requests.Session()
    adapter = (
        HTTPAdapter(pool_connections=1, pool_maxsize=POOL_SIZE)
        if exchange is None
        else _InPlaceOfTheNetwork(exchange)
    )
    http.mount("https://", adapter)
    http.mount("http://", adapter)

    # Nothing of one call may colour the next, and threads share this object.
    http.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    # Proxies and certificates of the environment, read once: half of a call went into that.
    found = http.merge_environment_settings(base_url, {}, None, None, None)
    http.proxies, http.verify, http.cert = found["proxies"], found["verify"], found["cert"]
    http.trust_env = False

    # No proxy of a company reaches the simulator on this very machine.
    if is_loopback(base_url):
        http.proxies = {}

    return http


class _InPlaceOfTheNetwork(HTTPAdapter):
    """Answer requests with *exchange*, and fail as a socket does if that raises."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__()
        self._exchange = exchange

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        body = request.body or b""

        try:
            status, headers, answer = self._exchange(
                str(request.method),
                str(request.url),
                request.headers,
                body.encode() if isinstance(body, str) else body,
            )

        except (OSError, HTTPException) as error:
            raise requests.ConnectionError(
                ProtocolError("Connection aborted.", error), request=request
            ) from None

        return self.build_response(
            request,
            HTTPResponse(io.BytesIO(answer), headers=headers, status=status, preload_content=False),
        )


def is_refused(error: Exception) -> bool:
    """Return True if no connection came about, so that nothing can have reached the other side."""
    cause = error.args[0] if error.args else None
    is_new = isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError)
    return is_new or isinstance(error, requests.ConnectTimeout)


def hung_up(error: requests.ConnectionError) -> bool:
    """Return True if the connection was closed before the first byte of an answer."""
    cause = error.args[0] if error.args else None
    return isinstance(cause, ProtocolError) and isinstance(cause.args[-1], ConnectionError)


@dataclass(frozen=True)
class Probed:
    """What came back: *status* and the beginning of the *body*, or the *error* in words.

    *certificate* says that the error is the server's TLS certificate.
    """

    status: int | None
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    seconds: float = 0.0
    error: str | None = None
    certificate: bool = False

    @property
    def date(self) -> datetime | None:
        """Return the time at the other end when it answered, or None if it does not tell."""
        try:
            return parsedate_to_datetime(self.headers["Date"])

        except (KeyError, ValueError):
            return None


def probe(
    url: str,
    *,
    timeout: tuple[float, float],
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    kept: int = KEPT,
) -> Probed:
    """Send one request, following no redirect, and return what came of it; never raises.

    Of the answer's body the first *kept* bytes are read.
    """
    began = time.monotonic()
    read = bytearray()

    try:
        with requests.request(
            method,
            url,
            data=body,
            headers=headers and dict(headers),
            # As a callable: otherwise requests adds what ~/.netrc holds for that host.
            auth=lambda request: request,
            proxies=_NO_PROXY if is_loopback(url) else None,
            timeout=timeout,
            allow_redirects=False,
            stream=True,
        ) as response:
            # Piece by piece: a chunked answer gives one of its chunks at a time.
            for piece in response.iter_content(kept):
                read += piece

                if len(read) >= kept or time.monotonic() - began > timeout[1] * _PATIENCE:
                    break

    except requests.RequestException as error:
        # The message of the original may hold more than the URL; the kind of error is enough.
        return Probed(
            None,
            seconds=time.monotonic() - began,
            error=_in_words(error),
            certificate=isinstance(error, requests.exceptions.SSLError),
        )

    seconds = time.monotonic() - began
    return Probed(response.status_code, bytes(read[:kept]), response.headers, seconds)


def _in_words(error: requests.RequestException) -> str:
    if isinstance(error, requests.exceptions.SSLError):
        return "the TLS certificate or connection is not valid"

    if isinstance(error, requests.Timeout):
        return "no answer in time"

    if is_refused(error):
        cause = error.args[0]
        unknown = isinstance(cause, MaxRetryError) and isinstance(cause.reason, NameResolutionError)
        return "the host name is not known" if unknown else "nothing listens there"

    return f"no answer ({type(error).__name__})"
