"""A simulator's memory on disk, so that it survives a restart."""

import json
import logging
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from . import records
from .controls import Controls


logger = logging.getLogger(__name__)

#: Seconds between two looks at whether there is something to save.
PAUSE = 1.0


class StateFile:
    """Keep what *gateway* knows in the file *path*, written whole or not at all."""

    def __init__(self, path: Path, gateway: Controls) -> None:
        self._path = path
        self._gateway = gateway
        self._saved = ""
        self._ending = threading.Event()
        self._thread = threading.Thread(
            target=self._keep_saving, name="simulator-state", daemon=True
        )

    def load(self) -> None:
        """Take back what was saved, if anything was; a `ValueError` says that it is no state."""
        if not self._path.parent.is_dir():
            raise ValueError(f"{self._path} cannot be written: there is no such folder")

        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return

        try:
            restore(self._gateway, json.loads(text))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{self._path} holds no state of a simulator: {error!r}") from error

    def start(self) -> None:
        """Save from now on, soon after anything has happened."""
        self._thread.start()

    def stop(self) -> None:
        """Save for the last time."""
        if self._thread.is_alive():
            self._ending.set()
            self._thread.join()
            self._try_to_save()

    def save(self) -> None:
        """Save, unless nothing has happened since the last time."""
        version = self._gateway.version
        if version == self._saved:
            return

        # Beside the file, because only a rename within one file system happens at once.
        fresh = self._path.with_name(f"{self._path.name}.{os.getpid()}.new")
        fresh.write_text(json.dumps(snapshot(self._gateway)), encoding="utf-8")
        fresh.replace(self._path)
        self._saved = version

    def _try_to_save(self) -> None:
        try:
            self.save()
        except OSError as error:
            logger.warning("The simulator could not save its state: %s", error)

    def _keep_saving(self) -> None:
        pause = PAUSE
        while not self._ending.wait(pause):
            start = time.monotonic()
            self._try_to_save()

            # A large state is saved less often, so that saving stays a small part of the work.
            pause = max(PAUSE, 10 * (time.monotonic() - start))


def snapshot(gateway: Controls) -> dict[str, Any]:
    """Return all that *gateway* knows, armed faults apart, as JSON has it."""
    return {
        "now": gateway.clock.now().isoformat(),
        "shape": asdict(gateway.shape),
        "holding": gateway.courier.holding,
        "tokens": gateway.tokens.dump(),
        "transactions": gateway.sessions.transactions,
        "sessions": [records.session_out(session) for session in gateway.sessions],
        "deliveries": [records.delivery_out(delivery) for delivery in gateway.deliveries],
        "requests": [records.request_out(request) for request in gateway.requests],
    }


def restore(gateway: Controls, state: Mapping[str, Any]) -> None:
    """Give *gateway* back what `snapshot` returned; what fell due meanwhile is due at once."""
    saved = datetime.fromisoformat(state["now"])
    if saved > gateway.clock.now():
        gateway.clock.set(saved)

    gateway.shape.change(**state["shape"])
    gateway.courier.holding = bool(state["holding"])
    gateway.tokens.load(state["tokens"])
    gateway.sessions.transactions = int(state["transactions"])
    for session in state["sessions"]:
        gateway.resume(records.session_in(session))

    for delivery in state["deliveries"]:
        gateway.courier.restore(records.delivery_in(delivery))

    for request in state["requests"]:
        gateway.requests.add(records.request_in(request))
