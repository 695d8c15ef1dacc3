"""A WSGI app on a real port, for the length of a test."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

from tests.listening import listening


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  werkzeug's name
        pass


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """Serve *app* on a free port of loopback; yield its base URL."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)

    with listening(server) as url:
        yield url
