"""A shop that does nothing but remember the callbacks it was sent."""

import json
import ssl
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request, Response

from tests.cli.serving import serving

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True)
class Received:
    """A POST as it arrived."""

    path: str
    body: bytes
    headers: dict[str, str]


class Shop:
    """Listen on a free port, with *tls* if given, and answer every POST with `code`."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.received: list[Received] = []
        self.code = 200
        self.headers: dict[str, str] = {}
        self.gate = threading.Event()
        self.gate.set()
        self._awaited = 0
        self._serving = serving(self, tls)

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        self.received.append(Received(request.path, request.get_data(), dict(request.headers)))
        if len(self.received) >= self._awaited:
            self.gate.set()

        self.gate.wait(30)
        return Response(b"ok", self.code, self.headers)(environ, start_response)

    def told(self, field: str) -> list[Any]:
        """Return what each callback said in *field*."""
        return [json.loads(received.body)[field] for received in self.received]

    def hold_until(self, count: int) -> None:
        """Answer nobody until *count* POSTs have arrived."""
        self._awaited = count
        self.gate.clear()

    def __enter__(self) -> "Self":
        self.url = self._serving.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.gate.set()
        self._serving.__exit__(None, None, None)
