"""Server: a shop behind a real gunicorn, on a port that listens before the workers do."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spayon_flask.domain.signing import sign
from tests.shop import SECRET

if TYPE_CHECKING:
    from typing_extensions import Self


ROOT = Path(__file__).parents[2]


class Server:
    """Run *app* with a number of *workers*, from `with` on; *environment* is for the app.

    With *threads* each of them answers so many requests at a time. Without *preload* each of them
    makes an app of its own. *options* are more of gunicorn's.
    """

    def __init__(
        self,
        app: str,
        workers: int,
        *,
        threads: int = 1,
        preload: bool = True,
        options: Sequence[str] = (),
        **environment: str,
    ) -> None:
        self._app = app
        self._workers = workers
        self._threads = threads
        self._options = [*(["--preload"] if preload else []), *options]
        self.environment = dict(os.environ) | environment
        self.python = sys.executable
        #: Where what the shop logs goes; to the terminal by default.
        self.log: int | None = None
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._socket.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        descriptor = self._socket.fileno()
        self._process = subprocess.Popen(
            [
                *(self.python, "-m", "gunicorn", "--log-level", "warning"),
                *self._options,
                *("--workers", str(self._workers), "--threads", str(self._threads)),
                *("--bind", f"fd://{descriptor}"),
                *("--timeout", "120", "--graceful-timeout", "2", self._app),
            ],
            cwd=ROOT,
            env=self.environment,
            pass_fds=[descriptor],
            stderr=self.log,
        )
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(20)

        self._socket.close()

    def workers(self) -> list[int]:
        """Return the process ids of the workers that run now."""
        if self._process is None:
            return []

        pid = self._process.pid
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def deliver(self, body: bytes) -> int | None:
        """Post a signed callback; return the answer's code, None if none came."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"X-Signature": sign(body, SECRET), "Content-Type": "application/json"}

        try:
            connection.request("POST", "/pay/callback", body, headers)
            return connection.getresponse().status

        except (OSError, http.client.HTTPException):
            return None

        finally:
            connection.close()
