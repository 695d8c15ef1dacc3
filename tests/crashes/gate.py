"""Gate: named points at which a worker waits, so that a test can end it just there."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self


_SOCKET = "gate"


def pass_through(folder: Path, point: str) -> None:
    """Go on at once, unless *point* is shut: then wait until the gate is opened."""
    if not (folder / point).exists():
        return

    with socket.socket(socket.AF_UNIX) as gate:
        gate.connect(str(folder / _SOCKET))
        gate.sendall(str(os.getpid()).encode())
        gate.recv(1)


@dataclass(frozen=True)
class Waiting:
    """A worker that waits at a shut point."""

    pid: int
    _connection: socket.socket

    def let_go(self) -> None:
        """Let the worker go on."""
        self._connection.close()


class Gate:
    """Shut points for the workers that look into *folder*."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(30)

    def __enter__(self) -> Self:
        self._socket.bind(str(self.folder / _SOCKET))
        self._socket.listen()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def shut(self, point: str) -> None:
        """Let the next workers that come to *point* wait there."""
        (self.folder / point).touch()

    def open(self, point: str) -> None:
        """Let workers pass *point* from now on; one that waits goes on waiting."""
        (self.folder / point).unlink()

    def wait(self) -> Waiting:
        """Return the next worker that waits."""
        connection, _ = self._socket.accept()
        return Waiting(int(connection.recv(20)), connection)
