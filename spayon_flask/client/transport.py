"""Transport: HTTP to one base URL, with foreign errors turned into ours."""

from __future__ import annotations

import io
import json as jsonlib
import logging
import os
import time
from collections.abc import Callable
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPException
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from typing import NamedTuple

import requests
from requests.adapters import HTTPAdapter
from requests.utils import default_headers
from urllib3 import HTTPResponse
from urllib3.exceptions import HTTPError
from urllib3.exceptions import InvalidHeader
from urllib3.exceptions import MaxRetryError
from urllib3.exceptions import NewConnectionError
from urllib3.exceptions import ProtocolError
from urllib3.util import Retry

from ..errors import ConfigError
from ..errors import GatewayError
from ..errors import GatewayUnavailableError
from ..errors import UnexpectedAnswerError
from ..signals import announce
from ..signals import gateway_called


logger = logging.getLogger(__name__)

#: Connections kept alive; threads beyond that many open one for the call.
POOL_SIZE = 64

#: No documented answer comes near this many bytes.
MAX_ANSWER = 1024 * 1024

#: An answer that trickles in is given up after this many read time-outs.
_PATIENCE = 3

#: The longest wait that a `Retry-After` is believed, in seconds: that of urllib3.
_LONGEST_WAIT = 6 * 3600.0

_HEADERS = {**default_headers(), "Accept": "application/json", "User-Agent": "spayon-flask"}

#: Answers one request, given as method, URL, headers and body, with status, headers and body.
Exchange = Callable[[str, str, Mapping[str, str], bytes], tuple[int, Mapping[str, str], bytes]]


class Answer(NamedTuple):
    """An HTTP answer below 500: *status*, and the exact bytes."""

    status: int
    body: bytes

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
    no request can be made to *base_url*.
    """

    def __init__(self, base_url: str, timeout: tuple[float, float], account: str) -> None:
        try:
            self._request = requests.Request("GET", base_url, _HEADERS).prepare()

        except requests.RequestException as error:
            raise ConfigError(f"API_URL is no URL to send requests to: {error}") from None

        # As it goes over the wire: with its host in ASCII.
        self._base_url = str(self._request.url).rstrip("/")
        self._timeout = timeout
        self._account = account
        self._exchange: Exchange | None = None
        self._http = self._new_http()
        self._pid = os.getpid()

    def answer_with(self, exchange: Exchange) -> None:
        """Let *exchange* answer from now on, in place of the network; for tests."""
        self._exchange = exchange
        self._http = self._new_http()

    def send(
        self, call: str, method: str, path: str, *, json: Any = None, token: str | None = None
    ) -> Answer:
        """Send one request and return the answer; *call* names it in signals and logs.

        A request is repeated once, on a fresh connection, if Spayon hung up before the first byte
        of an answer: so ends a connection that the other side closed while it was idle. Raises
        `GatewayUnavailableError` if there was no answer, 429 or 5xx, and `UnexpectedAnswerError`
        for a redirect or for more than 1 MiB.
        """
        began = time.monotonic()
        outcome = "ok"

        try:
            return self._send(self._prepare(method, path, json, token))

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
            announce(gateway_called, self._account, call=call, outcome=outcome, seconds=seconds)

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

    def _send(self, request: requests.PreparedRequest) -> Answer:
        # Relies on: idle-connections, retry-after, api-without-version
        try:
            try:
                response, body = self._exchanged(self._shared_http(), request)

            except requests.ConnectionError as error:
                if not _hung_up(error):
                    raise

                with self._new_http() as fresh:
                    response, body = self._exchanged(fresh, request)

        except requests.ConnectTimeout:
            raise GatewayUnavailableError(
                "Spayon could not be reached in time", sent=False
            ) from None

        except (requests.RequestException, HTTPError) as error:
            # The message of the original may hold URLs and more; its name is enough.
            raise GatewayUnavailableError(
                f"Spayon gave no answer ({type(error).__name__})", sent=not is_refused(error)
            ) from None

        status = response.status_code

        if status == 429 or status >= 500:  # noqa: PLR2004  an HTTP status
            raise GatewayUnavailableError(
                f"Spayon is not available (HTTP {status})",
                retry_after=_retry_after(response.headers.get("Retry-After")),
            )

        if 300 <= status < 400:  # noqa: PLR2004  an HTTP status
            raise UnexpectedAnswerError(f"Spayon redirects (HTTP {status}): check API_URL")

        return Answer(status, body)

    def _exchanged(
        self, http: requests.Session, request: requests.PreparedRequest
    ) -> tuple[requests.Response, bytes]:
        # A redirect would carry the credentials to an address nobody configured.
        with http.send(
            request, timeout=self._timeout, allow_redirects=False, stream=True
        ) as response:
            return response, self._read(response)

    def _read(self, response: requests.Response) -> bytes:
        deadline = time.monotonic() + self._timeout[1] * _PATIENCE
        body = bytearray()

        # Each piece that is there, and never as many bytes as were asked for: to wait for those
        # begins the read time-out anew with every single byte.
        while piece := response.raw.read1(64 * 1024, decode_content=True):
            body += piece

            if len(body) > MAX_ANSWER:
                raise UnexpectedAnswerError("Spayon's answer is larger than 1 MiB: check API_URL")

            if time.monotonic() > deadline:
                raise GatewayUnavailableError("Spayon's answer took too long")

        return bytes(body)

    def _shared_http(self) -> requests.Session:
        # After a fork, parent and child would write into one and the same connection.
        if self._pid != os.getpid():
            self._http = self._new_http()
            self._pid = os.getpid()

        return self._http

    def _new_http(self) -> requests.Session:
        http = requests.Session()
        adapter = (
            HTTPAdapter(pool_connections=1, pool_maxsize=POOL_SIZE)
            if self._exchange is None
            else _InPlaceOfTheNetwork(self._exchange)
        )
        http.mount("https://", adapter)
        http.mount("http://", adapter)

        # Nothing of one call may colour the next, and threads share this object.
        http.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

        # Proxies and certificates of the environment, read once: half of a call went into that.
        found = http.merge_environment_settings(self._base_url, {}, None, None, None)
        http.proxies, http.verify, http.cert = found["proxies"], found["verify"], found["cert"]
        http.trust_env = False
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
    return isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError)


def _hung_up(error: requests.ConnectionError) -> bool:
    """Return True if the connection was closed before the first byte of an answer."""
    cause = error.args[0] if error.args else None
    return isinstance(cause, ProtocolError) and isinstance(cause.args[-1], ConnectionError)


def _retry_after(value: str | None) -> float | None:
    """Return the seconds in *value*, a number of them or a date, or None if it is neither."""
    with suppress(InvalidHeader, ValueError, OverflowError):
        if value is not None:
            return min(float(Retry().parse_retry_after(value)), _LONGEST_WAIT)

    return None
