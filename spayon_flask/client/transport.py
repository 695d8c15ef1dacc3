"""Transport: HTTP to one base URL, with foreign errors turned into ours."""

from __future__ import annotations

import json as jsonlib
import logging
import time
from typing import Any
from typing import NamedTuple

import requests
import urllib3
from requests.adapters import HTTPAdapter

from ..errors import GatewayError
from ..errors import GatewayUnavailableError
from ..errors import UnexpectedAnswerError
from ..signals import announce
from ..signals import gateway_called
from .connections import Connections


logger = logging.getLogger(__name__)

#: No documented answer comes near it.
MAX_ANSWER = 1024 * 1024

#: An answer that trickles in is given up after this many read time-outs.
_PATIENCE = 3


class Answer(NamedTuple):
    """An HTTP answer below 500: *status*, and the exact bytes."""

    status: int
    body: bytes

    def __repr__(self) -> str:
        return f"Answer(status={self.status})"

    def json_object(self) -> dict[str, Any]:
        """Return the body, which must be a JSON object; raises `UnexpectedAnswerError`."""
        try:
            data = jsonlib.loads(self.body.decode())

        except (ValueError, RecursionError):
            data = None

        if self.status not in (200, 201) or not isinstance(data, dict):
            raise UnexpectedAnswerError(
                f"Spayon's answer (HTTP {self.status}) is not the documented JSON object: "
                "check API_URL"
            )

        return data


class Transport:
    """Send requests to *base_url*; *timeout* is seconds to connect and to read."""

    def __init__(self, base_url: str, timeout: tuple[float, float], account: str) -> None:
        self._connections = Connections(base_url)
        self._timeout = timeout
        self._account = account

    def answer_with(self, adapter: HTTPAdapter) -> None:
        """Let *adapter* answer from now on, in place of the network; for tests."""
        self._connections.answer_with(adapter)

    def send(
        self, call: str, method: str, path: str, *, json: Any = None, token: str | None = None
    ) -> Answer:
        """Send one request and return the answer; *call* names it in signals and logs.

        Raises `GatewayUnavailableError` where there was no answer, 429 or 5xx, and
        `UnexpectedAnswerError` for a redirect or for more than 1 MiB.
        """
        began = time.monotonic()
        outcome = "ok"

        try:
            return self._send(method, path, json, token)

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

    def _send(self, method: str, path: str, json: Any, token: str | None) -> Answer:
        connections = self._connections
        request = connections.request(method, path, json, token)

        try:
            # A redirect would carry the credentials to an address nobody configured.
            with connections.http.send(
                request, timeout=self._timeout, allow_redirects=False, stream=True
            ) as response:
                body = self._read(response)

        except requests.ConnectTimeout:
            raise GatewayUnavailableError(
                "Spayon could not be reached in time", sent=False
            ) from None

        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            # The message of the original may hold URLs and more; its name is enough.
            raise GatewayUnavailableError(
                f"Spayon gave no answer ({type(error).__name__})", sent=not _refused(error)
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

    def _read(self, response: requests.Response) -> bytes:
        deadline = time.monotonic() + self._timeout[1] * _PATIENCE
        body = bytearray()

        # What is there, and not as many bytes as were asked for: to wait for those begins the
        # read time-out anew with every single one.
        while piece := response.raw.read1(64 * 1024, decode_content=True):
            body += piece

            if len(body) > MAX_ANSWER:
                raise UnexpectedAnswerError("Spayon's answer is larger than 1 MiB: check API_URL")

            if time.monotonic() > deadline:
                raise GatewayUnavailableError("Spayon's answer took too long")

        return bytes(body)


def _refused(error: Exception) -> bool:
    """Say whether no connection came about, so that nothing can have reached Spayon."""
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", None)
    return type(reason).__name__ in ("NewConnectionError", "NameResolutionError")


def _retry_after(value: str | None) -> float | None:
    # The other form, a date, is not worth a second clock: the usual back-off serves.
    return float(value) if value is not None and value.isascii() and value.isdigit() else None
