"""A gateway for interleavings: what it knows can be taken back in a moment."""

import copy
import json
from collections.abc import Callable
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.listening import listening


class Gateway:
    """Listen on a free port from `open` on.

    *sessions* are the payment sessions by their id, each with price, currency, order and status.
    While *loses_answers* is set, a payment session is made and its answer is not sent. While *down*
    is set, nothing is done at all. *clock* tells when a payment session was made.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.sessions: dict[str, dict[str, Any]] = {}
        self.loses_answers = False
        self.down = False
        self._clock = clock
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))

                if self.path == "/api/tokens":
                    self._answer({"access_token": "t0ken", "expires_in": 3600})
                    return

                if gateway.down:
                    self._answer({"error": "down"}, 503)
                    return

                session_id = gateway.create(body)

                if gateway.loses_answers:
                    self._answer({"error": "the answer is lost"}, 502)
                    return

                url = f"{gateway.url}/pay/{session_id}"
                self._answer({"session_id": session_id, "session_url": url})

            def do_GET(self) -> None:
                session_id = self.path.rpartition("/")[2]

                if gateway.down:
                    self._answer({"error": "down"}, 503)

                elif session_id in gateway.sessions:
                    self._answer(gateway.report(session_id))

                else:
                    self._answer({"error": "no such session"}, 404)

            def _answer(self, data: dict[str, Any], code: int = 200) -> None:
                body = json.dumps(data).encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            disable_nagle_algorithm = True

        # Headers and body are one packet: the shop would wait for the second one.
        Handler.wbufsize = -1
        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._listening = listening(self._server)

    def open(self) -> None:
        """Answer from now on."""
        self._listening.__enter__()

    def close(self) -> None:
        """Answer no more."""
        self._listening.__exit__(None, None, None)

    def create(self, asked: dict[str, Any]) -> str:
        """Make a payment session, and return its id."""
        session_id = f"G{len(self.sessions) + 1}"
        self.sessions[session_id] = {
            "price": str(asked["price"]),
            "currency": str(asked["currency"]).upper(),
            "order": asked["order_id"],
            "status": "pending",
            "made_at": self._clock(),
        }
        return session_id

    def report(self, session_id: str, **fields: Any) -> dict[str, Any]:
        """Return what the gateway says of a payment session; a field that is None is left out."""
        session = self.sessions.get(
            session_id, {"price": "1000", "currency": "AMD", "order": "A1", "status": "paid"}
        )
        said = {
            "sessionId": session_id,
            "status": session["status"],
            "productName": "Tea",
            "price": session["price"],
            "currency": session["currency"],
            "createdAt": "2026-11-22T12:00:00.000Z",
            "updatedAt": "2026-11-22T12:01:00.000Z",
            "orderId": session["order"],
        } | fields
        return {name: value for name, value in said.items() if value is not None}

    def state(self) -> dict[str, dict[str, Any]]:
        """Return a copy of what it knows."""
        return copy.deepcopy(self.sessions)

    def restore(self, state: dict[str, dict[str, Any]]) -> None:
        """Know what it knew then, and nothing else."""
        self.sessions = copy.deepcopy(state)
        self.loses_answers = self.down = False
