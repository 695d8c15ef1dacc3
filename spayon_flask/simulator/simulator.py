"""The simulator: the gateway on a real port, for a program to start, ask and command."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flask import Flask, jsonify, make_response, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from . import api, commands, inspector, payment_page
from .current import protect
from .gateway import Gateway
from .server import Server, Wire
from .shape import Shape
from .state import StateFile

if TYPE_CHECKING:
    from typing_extensions import Self


#: Headers of an error that are about its own body.
BODY_HEADERS = {"Content-Type", "Content-Length"}


class Simulator(Gateway):
    """Stand in for Spayon on a real port, from `start` (or `with`) until `stop`.

    *port* 0 takes a free one; *public_url* is the address to be told to payers if it is not
    that of *host* and *port*; *state* is a file that keeps everything over a restart;
    *allow_hosts* are further names under which its pages may be opened. The rest
    goes to `Gateway`: with *time_scale* so many simulated seconds pass in a real one, 0 is for a
    clock that only `clock.step` moves; with *seed* ids and chances repeat themselves; *transport*
    carries the callbacks. *like* is a report of `flask spayon rehearse`, or its file: the gateway
    then behaves as Spayon was seen to. Without a `start` nothing listens, `app` can be called as a
    WSGI app, and everything happens in the caller's thread.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        public_url: str | None = None,
        state: str | Path | None = None,
        allow_hosts: Sequence[str] = (),
        like: str | Path | Mapping[str, Any] | None = None,
        shape: Mapping[str, object] | None = None,
        **options: Any,
    ) -> None:
        seen, unlike = _seen(like)
        super().__init__(shape={**seen, **(shape or {})}, **options)
        #: What a report says that no switch can imitate, in words.
        self.unlike = unlike
        if public_url is not None and not re.match(r"https?://[^/\s]", public_url):
            raise ValueError(
                f"the public URL must be such as http://192.168.1.20:5001, not {public_url!r}"
            )

        self.host = host
        self.port = port
        self.app = create_app(self)
        self._allowed = frozenset(name.lower() for name in allow_hosts)
        self._public_url = public_url and public_url.rstrip("/")
        self._server: Server | None = None
        self._state = StateFile(Path(state), self) if state else None

    def __repr__(self) -> str:
        return f"<Simulator {self.url}>"

    def __enter__(self) -> "Self":
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:  # type: ignore[override]  # derived here, set there
        """Return the base URL of the imitated API, without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self._public_url or f"http://{host}:{self.port}"

    @property
    def hosts(self) -> frozenset[str]:  # type: ignore[override]  # derived here, set there
        """Return the names beside those of this machine under which its pages may be opened."""
        return self._allowed | {self.host.lower(), urlsplit(self.url).hostname or ""}

    def start(self) -> "Self":
        """Listen, and return once a request would be answered."""
        self.stopping.clear()
        try:
            if self._state is not None:
                self._state.load()

            server = self._server = Server(self.app, self.host, self.port)
        except BaseException:
            self.stop()
            raise

        self.port = server.port
        self.requests.watch(lambda: server.connections)
        self.clock.start()
        server.start()
        if self._state is not None:
            self._state.start()

        return self

    def stop(self) -> None:
        """Stop within a second, even in the middle of a request or a callback."""
        self.stopping.set()
        if self._server is not None:
            self._server.stop()
            self._server = None

        self.clock.stop()
        if self._state is not None:
            self._state.stop()

    close = stop


def _seen(like: str | Path | Mapping[str, Any] | None) -> tuple[dict[str, Any], list[str]]:
    """Return the switches in a report of a rehearsal, and what of it no switch can imitate.

    A `ValueError` says that *like* is no such report.
    """
    if like is None:
        return {}, []

    try:
        report = like if isinstance(like, Mapping) else json.loads(Path(like).read_text("utf-8"))
        found = dict(report["like"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        name = "it" if isinstance(like, Mapping) else like
        raise ValueError(f"Cannot be like {name}: no report of a rehearsal: {error!r}") from error

    unlike = [str(each) for each in report.get("unlike", ())]
    for name, value in list(found.items()):
        try:
            Shape().change(**{name: value})
        except ValueError as error:
            unlike.append(str(error))
            del found[name]

    return found, unlike


def create_app(gateway: Gateway) -> Flask:
    """Return an app that is *gateway* for whoever calls it."""
    app = Flask(__name__, static_url_path="/_simulator/static")
    app.extensions["simulator"] = gateway
    app.json.sort_keys = False  # type: ignore[attr-defined]  # Flask's own provider has it
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.register_blueprint(api.blueprint)
    app.register_blueprint(payment_page.blueprint)
    app.register_blueprint(commands.blueprint)
    app.register_blueprint(inspector.blueprint)
    protect(app)
    app.wsgi_app = Wire(app.wsgi_app)  # type: ignore[method-assign]  # as Flask's docs do
    app.register_error_handler(HTTPException, _say_why)
    return app


def _say_why(error: HTTPException) -> ResponseReturnValue:
    # With the headers of the error, such as the `Allow` of a 405.
    answer = error.get_response()
    if error.response is None:
        page = "text/html" in request.headers.get("Accept", "")
        answer = make_response(
            render_template("simulator/error.html", error=error)
            if page
            else jsonify(error=error.description),
            error.code or 500,
            {name: value for name, value in answer.headers if name not in BODY_HEADERS},
        )

    return answer
