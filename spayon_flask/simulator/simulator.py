"""The simulator: the gateway on a real port, for a program to start, ask and command."""

import json
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from flask import jsonify
from flask import render_template
from flask import request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from . import api
from . import commands
from . import inspector
from . import payment_page
from .current import protect
from .gateway import Gateway
from .server import Server
from .server import Wire
from .state import StateFile


if TYPE_CHECKING:
    from typing_extensions import Self


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
        **options: Any,
    ) -> None:
        super().__init__(**options)
        #: What a report says that no switch can imitate, in words.
        self.unlike: list[str] = []
        for name, value in ({} if like is None else _seen(like)).items():
            try:
                self.shape.change(**{name: value})
            except ValueError as error:
                self.unlike.append(str(error))

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
        if self._state is not None:
            self._state.load()

        server = self._server = Server(self.app, self.host, self.port)
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


def _seen(like: str | Path | Mapping[str, Any]) -> dict[str, Any]:
    """Return the switches in a report of a rehearsal; a `ValueError` says that it is none."""
    report = like if isinstance(like, Mapping) else json.loads(Path(like).read_text("utf-8"))
    if not isinstance(report, Mapping) or not isinstance(report.get("like"), Mapping):
        raise ValueError(  # noqa: TRY004  it is the text of a file that is wrong
            "this is no report of `flask spayon rehearse`: it has no `like`"
        )

    return dict(report["like"])


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
    if error.response is not None:
        return error.response

    if "text/html" in request.headers.get("Accept", ""):
        return render_template("simulator/error.html", error=error), error.code or 500

    return jsonify(error=error.description), error.code or 500
