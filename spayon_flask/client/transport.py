"""Transport: HTTP to one base URL, with foreign errors turned into ours."""

from __future__ import annotations

import json as jsonlib
import logging
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, NamedTuple

import requests
from requests.utils import default_headers
from urllib3.exceptions import HTTPError, InvalidHeader
from urllib3.util import Retry, Timeout

from ..errors import ConfigError, GatewayError, GatewayUnavailableError, UnexpectedAnswerError
from ..signals import announce, gateway_called
from .connections import Exchange, hung_up, is_refused, new_http

logger = logging.getLogger(__name__)

#: No documented answer comes near this many bytes.
MAX_ANSWER = 1024 * 1024

#: An answer that trickles in is given up after this many read time-outs.
_PATIENCE = 3

#: The longest wait that a `Retry-After` is believed, in seconds: that of urllib3.
_LONGEST_WAIT = 6 * 3600.0

_HEADERS = {**default_headers(), "Accept": "application/json", "User-Agent": "spayon-flask"}


class Answer(NamedTuple):
    """An HTTP answer below 500: *status*, and the exact bytes.

    *is_page* is True if it is a web page, which no API answers with.
    """

    status: int
    body: bytes
    is_page: bool = False

    def __repr__(self) -> str:
        return f"Answer(status={self.status})"

    def __sentry_repr__(self) -> str:
        return repr(self)

    def json_object(self) -> dict[str, Any]:
        """Return the body, which must be a JSON object; raises `UnexpectedAnswerError`."""
        try:
            # Some servers write a byte order mark first, and `json` refuses that.
            data = jsonlib.loads(self.body.decode("utf-8-sig"))

        except (ValueError, RecursionError):
            data = None

        if self.status not in (200, 201) or not isinstance(data, dict):
            raise UnexpectedAnswerError(
                f"Spayon's answer (HTTP {self.status}) is not the documented JSON object: "
                "check API_URL"
            )

        return data


class Transport:
    """Send requests to *base_url*; *timeout* is seconds to connect and to read.

    Connections are kept alive and shared by all threads of one process. Raises `ConfigError` if
    no request can be made to *base_url*. *around* is what the receivers of `gateway_called` are
    called inside. If *beside* is given, its connections are used.
    """

    def __init__(
        self,
        base_url: str,
        timeout: tuple[float, float],
        account: str,
        around: Callable[[], AbstractContextManager[None]] = nullcontext,
        beside: Transport | None = None,
    ) -> None:
        try:
            self._request = requests.Request("GET", base_url, _HEADERS).prepare()

        except requests.RequestException as error:
            raise ConfigError(f"API_URL is no URL to send requests to: {error}") from None

        # As it goes over the wire: with its host in ASCII.
        self._base_url = str(self._request.url).rstrip("/")
        self._timeout = timeout
        self._account = account
        self._around = around
        self._exchange: Exchange | None = None
        self._beside = beside
        self._http = new_http(self._base_url, None) if beside is None else beside.http()
        self._pid = os.getpid()

    def answer_with(self, exchange: Exchange) -> None:
        """Let *exchange* answer from now on, in place of the network; for tests."""
        self._exchange, self._beside = exchange, None
        self._http = new_http(self._base_url, self._exchange)

    def send(
        self,
        call: str,
        method: str,
        path: str,
        *,
        json: Any = None,
        token: str | None = None,
        within: float | None = None,
    ) -> Answer:
        """Send one request and return the answer; *call* names it in signals and logs.

        *within* is the time that all of it may take, in seconds; the time-outs of the settings
        count besides. A request is repeated once, on a fresh connection, if Spayon hung up before
        the first byte of an answer: so ends a connection that the other side closed while it was
        idle. Raises `GatewayUnavailableError` if there was no answer, 429 or 5xx, and
        `UnexpectedAnswerError` for a redirect or for more than 1 MiB.
        """
        began = time.monotonic()
        outcome = "ok"

        try:
            return self._send(self._prepare(method, path, json, token), within)

        except GatewayError as error:
            outcome = type(error).__name__
            raise

        finally:
            seconds = time.monotonic() - began
            logger.debug(
                "gateway called",
                extra={
                    "account": self._account,
                    "call": call,
                    "outcome": outcome,
                    "seconds": round(seconds, 3),
                },
            )
            told = {"call": call, "outcome": outcome, "seconds": seconds}
            announce(gateway_called, self._account, self._around, **told)

    def _prepare(
        self, method: str, path: str, json: Any, token: str | None
    ) -> requests.PreparedRequest:
        # A copy: to prepare each request anew takes a tenth of a whole status call.
        request = self._request.copy()
        request.method, request.url = method, self._base_url + path

        if token is not None:
            request.headers["Authorization"] = f"Bearer {token}"

        if json is not None:
            request.prepare_body(None, None, json)

        return request

    def _send(self, request: requests.PreparedRequest, within: float | None) -> Answer:
        # Relies on: idle-connections, retry-after, api-without-version
        connect, read = self._timeout
        timeout = Timeout(total=within, connect=connect, read=read)
        ends = time.monotonic() + (within or connect + read * _PATIENCE)

        try:
            try:
                response, body = self._exchanged(self.http(), request, timeout, ends)

            except requests.ConnectionError as error:
                if not hung_up(error):
                    raise

                with new_http(self._base_url, self._exchange) as fresh:
                    response, body = self._exchanged(fresh, request, timeout, ends)

        # Those of requests are OSErrors; what it cannot read is a ValueError.
        except (HTTPError, OSError, ValueError) as error:
            raise _unavailable(error) from None

        status = response.status_code

        if status == 429 or status >= 500:  # noqa: PLR2004  an HTTP status
            raise GatewayUnavailableError(
                f"Spayon is not available (HTTP {status})",
                retry_after=_retry_after(response.headers.get("Retry-After")),
            )

        if 300 <= status < 400:  # noqa: PLR2004  an HTTP status
            raise UnexpectedAnswerError(f"Spayon redirects (HTTP {status}): check API_URL")

        kind = response.headers.get("Content-Type", "")
        return Answer(status, body, "html" in kind.lower() or body.lstrip()[:1] == b"<")

    def _exchanged(
        self,
        http: requests.Session,
        request: requests.PreparedRequest,
        timeout: Timeout,
        ends: float,
    ) -> tuple[requests.Response, bytes]:
        # A redirect would carry the credentials to an address nobody configured.
        # requests takes the time-out of urllib3, of which its own is made.
        options: Any = {"timeout": timeout, "allow_redirects": False, "stream": True}

        with http.send(request, **options) as response:
            return response, self._read(response, ends)

    def _read(self, response: requests.Response, ends: float) -> bytes:
        body = bytearray()

        # Each piece that is there, and never as many bytes as were asked for: to wait for those
        # begins the read time-out anew with every single byte.
        while piece := response.raw.read1(64 * 1024, decode_content=True):
            body += piece

            if len(body) > MAX_ANSWER:
                raise UnexpectedAnswerError("Spayon's answer is larger than 1 MiB: check API_URL")

            if time.monotonic() > ends:
                raise GatewayUnavailableError("Spayon's answer took too long")

        return bytes(body)

    def http(self) -> requests.Session:
        """Return the connections of this process."""
        if self._beside is not None:
            return self._beside.http()

        # After a fork, parent and child would write into one and the same connection.
        if self._pid != os.getpid():
            self._http = new_http(self._base_url, self._exchange)
            self._pid = os.getpid()

        return self._http


def _unavailable(error: Exception) -> GatewayUnavailableError:
    """Return *error* as one of ours: the message of the original may hold URLs and more."""
    name = type(error).__name__

    if isinstance(error, requests.RequestException | HTTPError) and not isinstance(
        error, ValueError
    ):
        return GatewayUnavailableError(
            f"Spayon gave no answer ({name})", sent=not is_refused(error)
        )

    return GatewayUnavailableError(
        f"Spayon could not be asked ({name}): check REQUESTS_CA_BUNDLE and the proxy in the "
        "environment; SOCKS needs PySocks",
        sent=isinstance(error, OSError) and error.errno is not None,
    )


def _retry_after(value: str | None) -> float | None:
    """Return the seconds in *value*, a number of them or a date, or None if it is neither."""
    with suppress(InvalidHeader, ValueError, OverflowError):
        if value is not None:
            return min(float(Retry().parse_retry_after(value)), _LONGEST_WAIT)

    return None
