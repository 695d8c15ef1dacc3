"""A WSGI app on a real port, for the length of a test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from werkzeug.serving import WSGIRequestHandler
from werkzeug.serving import make_server


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  werkzeug's name
        pass


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """Serve *app* on a free port of loopback; yield its base URL."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()

    try:
        yield f"http://127.0.0.1:{server.server_port}"

    finally:
        server.shutdown()
        thread.join()
        server.server_close()
