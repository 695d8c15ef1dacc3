"""A WSGI app on a real port, for the length of a test."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

from tests.listening import listening


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  werkzeug's name
        pass


@contextmanager
def serving(app: Any, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve *app* on a free port of loopback, with *tls* if given; yield its base URL."""
    options: Any = {"threaded": True, "request_handler": _Quiet, "ssl_context": tls}
    server = make_server("127.0.0.1", 0, app, **options)

    with listening(server) as url:
        yield url
