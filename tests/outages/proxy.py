"""Proxy: a TCP proxy before a real server, which refuses, hangs, slows or cuts as it is told."""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self


#: Seconds for which each piece of a slow answer is held back.
SLOWNESS = 0.3


class Proxy:
    """Pass on what comes to *port*; *mode* is `up`, `refused`, `hanging`, `slow` or `cut`.

    `hanging`: connections are taken, and nothing is passed on until the mode is another one.
    `slow`: each piece of an answer comes later. `cut`: a connection is reset when the server
    answers, after it has done what it was asked for.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._mode = "up"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]

        # Asked for by its number, so that it stays ours while nobody is let in.
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        self._listener.settimeout(0.05)
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._threads: list[threading.Thread] = []
        self._closing = False

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        self._listener.close()
        self._reset_all()

        for thread in self._threads:
            thread.join(5)

    @property
    def mode(self) -> str:
        """How the server behaves now."""
        return self._mode

    @mode.setter
    def mode(self, mode: str) -> None:
        if mode == "refused":
            # It stays bound, so that nobody else gets the port, and listens no more.
            self._listener.shutdown(socket.SHUT_RDWR)
            self._reset_all()

        elif self._mode == "refused":
            self._listener.listen(64)

        self._mode = mode

    def _start(self, work: object, *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closing:
            try:
                client, _ = self._listener.accept()

            except TimeoutError:
                continue

            except OSError:  # it does not listen: nobody is let in
                time.sleep(0.02)
                continue

            server = socket.create_connection(self._target)
            self._pairs.append((client, server))
            self._start(self._pump, client, server)

    def _pump(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError, ValueError):
            while not self._closing:
                if self._mode == "hanging":
                    time.sleep(0.02)
                    continue

                for ready in select.select([client, server], [], [], 0.05)[0]:
                    piece = ready.recv(65536)

                    if not piece:
                        client.close()
                        server.close()
                        return

                    if ready is server and self._mode == "cut":
                        _reset(client)
                        server.close()
                        return

                    if ready is server and self._mode == "slow":
                        time.sleep(SLOWNESS)

                    (server if ready is client else client).sendall(piece)

    def _reset_all(self) -> None:
        for client, server in self._pairs:
            _reset(client)
            server.close()

        self._pairs.clear()


def _reset(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
