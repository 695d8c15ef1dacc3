"""A shop that does nothing but remember the callbacks it was sent."""

import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from tests.listening import listening

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True)
class Received:
    """A POST as it arrived."""

    path: str
    body: bytes
    headers: dict[str, str]


class Shop:
    """Listen on a free port and answer every POST with `code`."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.code = 200
        self.headers: dict[str, str] = {}
        self.gate = threading.Event()
        self._awaited = 0
        self.gate.set()
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                shop.arrived(Received(self.path, body, dict(self.headers)))
                shop.gate.wait(5)
                self.send_response(shop.code)
                for name, value in {"Content-Length": "2", **shop.headers}.items():
                    self.send_header(name, value)

                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._listening = listening(self._server)

    def hold_until(self, count: int) -> None:
        """Answer nobody until *count* POSTs have arrived."""
        self._awaited = count
        self.gate.clear()

    def arrived(self, received: Received) -> None:
        """Remember *received*."""
        self.received.append(received)
        if len(self.received) >= self._awaited:
            self.gate.set()

    def __enter__(self) -> "Self":
        self._listening.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.gate.set()
        self._listening.__exit__(None, None, None)
