"""Probe: one plain request to an address, to see what stands there."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from datetime import datetime
from email.utils import parsedate_to_datetime

import requests
from urllib3.exceptions import MaxRetryError
from urllib3.exceptions import NameResolutionError

from .transport import is_refused


#: Bytes of an answer that are looked at.
KEPT = 4096


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
) -> Probed:
    """Send one request, following no redirect, and return what came of it; never raises."""
    began = time.monotonic()

    try:
        with requests.request(
            method,
            url,
            data=body,
            headers=headers and dict(headers),
            # As a callable: otherwise requests adds what ~/.netrc holds for that host.
            auth=lambda request: request,
            timeout=timeout,
            allow_redirects=False,
            stream=True,
        ) as response:
            kept = next(response.iter_content(KEPT), b"")

    except requests.RequestException as error:
        # The message of the original may hold more than the URL; the kind of error is enough.
        return Probed(
            None,
            seconds=time.monotonic() - began,
            error=_in_words(error),
            certificate=isinstance(error, requests.exceptions.SSLError),
        )

    return Probed(response.status_code, kept, response.headers, time.monotonic() - began)


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
