"""InProcess: the calls of a client, answered by a WSGI app without a socket."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote_to_bytes
from urllib.parse import urlsplit
from wsgiref.util import setup_testing_defaults

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse


class InProcess(HTTPAdapter):
    """Answer requests with *wsgi_app*, in the thread that sends them; for tests."""

    def __init__(self, wsgi_app: Any) -> None:
        super().__init__()
        self._wsgi_app = wsgi_app

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Return what the app answers; a `ConnectionError` of the app is one of requests."""
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
            started[:] = [int(status[:3]), headers]

        try:
            chunks: Iterable[bytes] = self._wsgi_app(_environ(request), start_response)

        # What the simulator raises for a fault that would cut a socket's line.
        except ConnectionError as error:
            raise requests.ConnectionError(str(error), request=request) from error

        try:
            body = b"".join(chunks)

        finally:
            getattr(chunks, "close", lambda: None)()

        code, headers = started
        answer = HTTPResponse(io.BytesIO(body), headers=headers, status=code, preload_content=False)
        return self.build_response(request, answer)


def _environ(request: requests.PreparedRequest) -> dict[str, Any]:
    parts = urlsplit(request.url or "")
    body = request.body or b""
    data = body.encode() if isinstance(body, str) else body
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        # As WSGI has it: the bytes of the path, one letter each.
        "PATH_INFO": unquote_to_bytes(str(parts.path)).decode("latin-1"),
        "QUERY_STRING": parts.query,
        "HTTP_HOST": parts.netloc,
        "CONTENT_LENGTH": str(len(data)),
        "wsgi.input": io.BytesIO(data),
        "wsgi.url_scheme": parts.scheme,
    }

    for name, value in request.headers.items():
        key = name.upper().replace("-", "_")
        environ["CONTENT_TYPE" if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value

    setup_testing_defaults(environ)
    return environ
