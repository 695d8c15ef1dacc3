"""Receiver: the server at which Spayon's callbacks and the payers come back."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from werkzeug.exceptions import HTTPException
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from ..client.client import ascii_url
from ..client.connections import probe
from ..domain.redaction import Hidden
from ..errors import ConfigError
from .wire import json_object

if TYPE_CHECKING:
    from typing_extensions import Self

#: What comes back of one session: a callback, a payer, and a look of our own whether all is well.
_KINDS = ("callback", "return", "cancel", "hello")

#: No session keeps more; the rest is somebody else's.
_MAX_EVENTS = 60

_MAX_BODY = 64 * 1024

#: Seconds that Spayon is kept waiting at most.
_LONGEST_WAIT = 25.0


class Came(NamedTuple):
    """A request that a session has led to; *what* is `callback`, `return` or `cancel`."""

    what: str
    at: datetime
    method: str
    #: By their names in lower case.
    headers: dict[str, str]
    parameters: tuple[tuple[str, str], ...]
    body: bytes

    def __repr__(self) -> str:
        return f"Came({self.what!r}, at={self.at:%H:%M:%S})"

    def __sentry_repr__(self) -> str:
        return repr(self)

    @property
    def data(self) -> dict[str, Any]:
        """Return the JSON object of the body, empty if there is none."""
        return json_object(self.body)


class Reply(NamedTuple):
    """How a callback is answered: with *status*, after *wait* seconds."""

    status: int = 200
    wait: float = 0.0


class Receiver:
    """Listen on *host* and *port*, which *url* leads to from outside; 0 takes a free port."""

    def __init__(
        self, url: str, port: int, clock: Callable[[], datetime], host: str = "127.0.0.1"
    ) -> None:
        self._url = url.rstrip("/")
        self._clock = clock
        self._came: dict[str, list[Came]] = {}
        self._replies: dict[str, Sequence[Reply]] = {}
        self._stopping = threading.Event()

        try:
            self._server = make_server(
                host, port, self._answer, threaded=True, request_handler=_Quiet
            )

        except (OSError, SystemExit):
            raise ConfigError(
                f"nothing can listen on {host}:{port}: choose another --port"
            ) from None

        self.port = self._server.port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def open(self, *replies: Reply) -> str:
        """Return a key for one session; its callbacks get *replies*, and the last one repeats."""
        key = secrets.token_hex(16)
        self._came[key] = []
        self._replies[key] = replies or (Reply(),)
        return key

    def links(self, key: str) -> dict[str, str]:
        """Return the three URLs of a session."""
        return {
            f"{what}_url": ascii_url(f"{self._url}/{key}/{what}")
            for what in ("callback", "return", "cancel")
        }

    def came(self, key: str, what: str) -> list[Came]:
        """Return what has come of a session so far."""
        return [each for each in self._came[key] if each.what == what]

    def check(self, timeout: tuple[float, float]) -> str | None:
        """Return why *url* does not lead here, or None if it does."""
        key = self.open()
        seen = probe(ascii_url(f"{self._url}/{key}/hello"), timeout=timeout)

        if seen.status == 200 and seen.body == key.encode():  # noqa: PLR2004  an HTTP status
            return None

        what = seen.error or f"it answers HTTP {seen.status}, and not as this program does"
        return f"{self._url} does not lead to port {self.port} of this machine: {what}"

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        return self._respond(Request(environ))(environ, start_response)

    def _respond(self, request: Request) -> Response:
        key, _, what = request.path.strip("/").partition("/")

        if key not in self._came or what not in _KINDS:
            return Response("no rehearsal waits here\n", 404)

        if what == "hello":
            return Response(key)

        request.max_content_length = _MAX_BODY + 1

        try:
            body = request.get_data()

        except HTTPException:
            body = b"x" * (_MAX_BODY + 1)

        events = self._came[key]

        if len(events) < _MAX_EVENTS:
            events.append(
                Came(
                    what,
                    self._clock(),
                    request.method,
                    {name.lower(): Hidden(value) for name, value in request.headers.items()},
                    tuple(request.args.items(multi=True)),
                    body,
                )
            )

        if what != "callback":
            return Response("You can go back to the terminal.\n")

        replies = self._replies[key]
        number = len(self.came(key, "callback"))
        reply = replies[min(max(number, 1), len(replies)) - 1]
        self._stopping.wait(min(reply.wait, _LONGEST_WAIT))
        return Response("a rehearsal\n", reply.status)


class _Quiet(WSGIRequestHandler):
    """The log of werkzeug would show the keys of the sessions."""

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  werkzeug's name
        """Say nothing."""
