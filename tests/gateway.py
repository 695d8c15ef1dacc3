"""A gateway that answers just as it is told to, however wrong, over real HTTP."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from tests.listening import listening
from tests.reports import report

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True)
class Says:
    """An answer: a status code, the exact bytes and more headers."""

    body: bytes = b"{}"
    code: int = 200
    headers: dict[str, str] = field(default_factory=dict)


Answering = Callable[[str], Says]


def token(_: str = "") -> Says:
    """Give out a token."""
    return Says(json.dumps({"access_token": "t0ken", "expires_in": 3600}).encode())


def paid(session_id: str) -> Says:
    """Say that the payment session S<n> is paid, for the order A<n>."""
    return Says(report(session_id, orderId=f"A{session_id[1:]}"))


class Gateway:
    """Listen on a free port; *tokens*, *creations* and *statuses* answer the three calls."""

    def __init__(self) -> None:
        self.tokens: Answering = token
        self.creations: Answering = lambda _: Says(
            json.dumps({"session_id": "S1", "session_url": f"{self.url}/pay/S1"}).encode()
        )
        self.statuses: Answering = paid
        #: How often each payment session was asked about, and how many calls ran at once at most.
        self.asked: Counter[str] = Counter()
        self.at_once = 0
        #: Whose token and which body came with the call that is answered in this thread.
        self.call = threading.local()
        self._running = 0
        self._lock = threading.Lock()
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Headers and body are one packet: the shop would wait for the second one.
            wbufsize = -1

            def do_POST(self) -> None:
                gateway.call.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                gateway.call.token = self.headers.get("Authorization", "").partition(" ")[2]
                token = self.path == "/api/tokens"
                self._answer((gateway.tokens if token else gateway.creations)(self.path))

            def do_GET(self) -> None:
                gateway.call.token = self.headers.get("Authorization", "").partition(" ")[2]

                with gateway.counted(self.path.rpartition("/")[2]) as session_id:
                    said = gateway.statuses(session_id)

                self._answer(said)

            def _answer(self, said: Says) -> None:
                self.send_response(said.code)

                for name, value in {"Content-Length": str(len(said.body)), **said.headers}.items():
                    self.send_header(name, value)

                with suppress(OSError):  # whoever gave up waiting is no concern of ours
                    self.end_headers()
                    self.wfile.write(said.body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._listening = listening(self._server)

    @contextmanager
    def counted(self, session_id: str) -> Iterator[str]:
        """Count a status call, for as long as it runs."""
        with self._lock:
            self.asked[session_id] += 1
            self._running += 1
            self.at_once = max(self.at_once, self._running)

        yield session_id

        with self._lock:
            self._running -= 1

    def __enter__(self) -> Self:
        self._listening.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.__exit__(None, None, None)
