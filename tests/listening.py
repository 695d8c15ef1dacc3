"""Listening: a server that answers in a thread of this process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import HTTPServer


@contextmanager
def listening(server: HTTPServer) -> Iterator[str]:
    """Let *server*, which has its port already, answer from now on; yield its base URL."""
    thread = threading.Thread(target=server.serve_forever, args=(0.005,))
    thread.start()

    try:
        yield f"http://127.0.0.1:{server.server_port}"

    finally:
        server.shutdown()
        thread.join()
        server.server_close()
