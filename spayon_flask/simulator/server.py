"""The simulator's web server: threads, kept-alive connections, and cuts in the line on request."""

import contextlib
import math
import os
import socket
import struct
import threading
from collections.abc import Iterable
from io import BytesIO
from typing import TYPE_CHECKING, Any

from werkzeug.datastructures import Headers
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.test import run_wsgi_app

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication


#: A response header, never sent, by which the app has the line cut (`drop`, `truncate`, `reset`)
#: or slowed down (`trickle 2.5`, by seconds; `late 2.5` only for a caller without a socket).
WIRE_HEADER = "X-Simulator-Wire"

#: In the WSGI environ: which request on its connection this one is, from 1.
NUMBER = "spayon_simulator.request_of_connection"

#: Pieces of an answer that trickles.
PIECES = 40

#: Set in the WSGI environ by a server that cuts the line itself.
CUTS_ITSELF = "spayon_simulator.cuts_itself"

#: Set in the WSGI environ by a caller without a socket: seconds that it waits for an answer.
PATIENCE = "spayon_simulator.patience"

#: A longer request is refused; nothing that belongs here comes near it.
MAX_BODY = 1024 * 1024


class ConnectionCutError(ConnectionError):
    """A fault has cut the line; raised out of the WSGI app if no socket is there to be cut.

    *answer_begun* is true if the line broke in the middle of the answer.
    """

    def __init__(self, message: str, *, answer_begun: bool = False) -> None:
        super().__init__(message)
        self.answer_begun = answer_begun


class Wire:
    """Raise `ConnectionCutError` for an answer of *app* that a server is to cut off.

    A server that has a socket to cut sets `CUTS_ITSELF` in the environ, and sees each answer
    whole. Without a socket nothing takes time: a slow answer comes at once, or, if it would be
    later than the caller's `PATIENCE`, as the `TimeoutError` of a socket.
    """

    def __init__(self, app: "WSGIApplication") -> None:
        self._app = app

    def __call__(
        self, environ: dict[str, Any], start_response: "StartResponse"
    ) -> "Iterable[bytes]":
        """Answer as a WSGI app does."""
        if environ.get(CUTS_ITSELF):
            return self._app(environ, start_response)

        chunks, status, headers = run_wsgi_app(self._app, environ, buffered=True)
        wire, _, seconds = headers.pop(WIRE_HEADER, "").partition(" ")
        if wire == "late" and float(seconds) > environ.get(PATIENCE, math.inf):
            raise TimeoutError("timed out")

        if wire in {"drop", "truncate", "reset"}:
            raise ConnectionCutError(
                "a fault that was asked for has cut the connection",
                answer_begun=wire == "truncate",
            )

        start_response(status, list(headers))
        return chunks


class Handler(WSGIRequestHandler):
    """Answer one request after the other on a connection that stays open.

    Werkzeug's own handler closes the connection after every answer, so that a client with a
    pool of connections could not be tested against it.
    """

    server: "Server"
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def setup(self) -> None:
        """Remember the connection, to close it when the server stops."""
        super().setup()
        self._number = 0
        self.server.opened(self.connection)

    def finish(self) -> None:
        """Forget the connection."""
        self.server.closed(self.connection)
        with contextlib.suppress(OSError):
            super().finish()

    def handle_expect_100(self) -> bool:
        """Ask for the body at once: a client that has announced it waits for that."""
        asked = super().handle_expect_100()
        self.wfile.flush()
        return asked

    def run_wsgi(self) -> None:
        """Answer one request, as far as the app wants it answered."""
        environ = self.make_environ()
        body = self._body(environ)
        if body is None:
            self.close_connection = True
            self.send_error(400)
            return

        if len(body) > MAX_BODY:
            self.close_connection = True

        self._number += 1
        environ[NUMBER] = self._number
        environ[CUTS_ITSELF] = True
        environ["wsgi.input"] = BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        chunks, status, headers = run_wsgi_app(self.server.app, environ, buffered=True)
        self._answer(status, headers, b"".join(chunks))

    def _body(self, environ: dict[str, Any]) -> bytes | None:
        stream = environ["wsgi.input"]
        if environ.pop("wsgi.input_terminated", False):
            environ.pop("HTTP_TRANSFER_ENCODING")
        else:
            length = environ.get("CONTENT_LENGTH") or "0"
            if not length.isdecimal():
                return None

            # Read a little more than is taken, or the client would not stay to hear why.
            stream = BytesIO(stream.read(min(int(length), 8 * MAX_BODY)))

        # One byte more than is taken: by that the app sees that it is too long.
        body: bytes = stream.read(MAX_BODY + 1)
        return body

    def _answer(self, status: str, headers: Headers, body: bytes) -> None:
        wire, _, seconds = headers.get(WIRE_HEADER, "").partition(" ")
        if wire == "drop":
            self._cut()
            return

        if wire == "reset":
            self._reset()
            return

        code, _, phrase = status.partition(" ")
        self.send_response(int(code), phrase)
        headers.remove(WIRE_HEADER)
        headers["Content-Length"] = str(len(body))
        for name, value in headers:
            self.send_header(name, value)

        if self.close_connection:
            self.send_header("Connection", "close")

        self.end_headers()
        if self.command == "HEAD":
            return

        if wire == "trickle":
            self._trickle(body, float(seconds))
            return

        self.wfile.write(body[: len(body) // 2] if wire == "truncate" else body)
        if wire == "truncate":
            self._cut()

    def _trickle(self, body: bytes, seconds: float) -> None:
        size = max(1, -(-len(body) // PIECES))
        pieces = [body[start : start + size] for start in range(0, len(body), size)]
        for piece in pieces:
            # Before the piece: the last one comes when the time is over.
            self.server.stopping.wait(seconds / len(pieces))
            self.wfile.write(piece)
            self.wfile.flush()

    def _reset(self) -> None:
        # Without lingering a close is an RST, as from a server or a proxy that has restarted.
        self.close_connection = True
        no_linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_linger)
        self.server.closed(self.connection)
        socket.close(self.connection.detach())

    def _cut(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        """Keep quiet: the inspector shows every request."""


class Server(ThreadedWSGIServer):
    """Serve *app* on *host* and *port* (0 takes a free one) from `start` until `stop`."""

    def __init__(self, app: "WSGIApplication", host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # Bound here, because werkzeug ends the whole program when a port is taken.
        with socket.create_server((host, port), family=family, backlog=128) as bound:
            super().__init__(host, port, app, handler=Handler, fd=bound.fileno())

        #: How many TCP connections have been accepted so far.
        self.connections = 0
        #: Set when the server stops, to wake what waits for the sake of a fault.
        self.stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(
            target=self.serve_forever, args=(0.01,), name="simulator-server", daemon=True
        )

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering, and close every connection that a client has kept open."""
        self.stopping.set()
        self.shutdown()
        self._thread.join(1)
        with self._lock:
            connections = list(self._open)

        for connection in connections:
            _shut(connection)

    def opened(self, connection: socket.socket) -> None:
        """Count *connection*. One that was accepted while the server stops is closed at once."""
        with self._lock:
            self.connections += 1
            self._open.add(connection)

        if self.stopping.is_set():
            _shut(connection)

    def closed(self, connection: socket.socket) -> None:
        """Forget *connection*."""
        with self._lock:
            self._open.discard(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over a client that has gone away in the middle of something."""


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
