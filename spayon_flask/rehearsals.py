"""Rehearsals: the folder that `flask spayon rehearse` and the running shop share.

The command asks Spayon and waits; the shop's routes put what they receive into the folder. Nothing
of a rehearsal is in the shop's tables.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from typing import NamedTuple


#: What the order ids of a rehearsal begin with.
REHEARSAL = "rehearsal-"

#: No rehearsal receives more; the rest is somebody else's.
MAX_EVENTS = 60

#: Seconds for which a receiver keeps Spayon waiting at most: less than the 30 of gunicorn.
MAX_WAIT = 25.0

_KEY = r"[0-9a-f]{32}"


class Event(NamedTuple):
    """A request that a session of a rehearsal has led to."""

    #: `callback`, `return` or `cancel`.
    what: str
    at: datetime
    method: str
    #: Names and values, in their order.
    headers: tuple[tuple[str, str], ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def __repr__(self) -> str:
        return f"Event({self.what!r}, at={self.at:%H:%M:%S})"

    def __sentry_repr__(self) -> str:
        return repr(self)


class Reply(NamedTuple):
    """How the receiver answers a callback: with *status*, after *wait* seconds."""

    status: int = 200
    wait: float = 0.0


class Rehearsals:
    """What is known of rehearsals, in *folder*, which need not be there.

    A rehearsal has receivers, each with an unguessable key that is a part of its URLs.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._sessions = os.path.join(folder, "sessions")  # noqa: PTH118  asked for in each callback

    @property
    def folder(self) -> Path:
        """Return the folder."""
        return Path(self._folder)

    def begin(self) -> None:
        """Make the folder, which no other user may read, and forget the rehearsal before."""
        self.close()
        (self.folder / "journal.json").unlink(missing_ok=True)
        Path(self._sessions).mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)

    def close(self) -> None:
        """Close the receivers, and remove all that they have received."""
        shutil.rmtree(self.folder / "receivers", ignore_errors=True)

    def open(self, key: str, replies: list[Reply]) -> None:
        """Open the receiver *key*, which answers callbacks with *replies*; the last one repeats.

        Without *replies* it answers 200.
        """
        receiver = self._receiver(key)
        receiver.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._write(
            receiver / "replies", [[each.status, each.wait] for each in replies or [Reply()]]
        )

    def is_open(self, key: str) -> bool:
        """Return True if there is a receiver *key*."""
        return re.fullmatch(_KEY, key) is not None and self._receiver(key).is_dir()

    def note(self, key: str, event: Event) -> Reply:
        """Keep *event* of the open receiver *key*; return how to answer, if it is a callback."""
        receiver = self._receiver(key)
        text = json.dumps(
            {
                "what": event.what,
                "at": event.at.isoformat(),
                "method": event.method,
                "headers": event.headers,
                "parameters": event.parameters,
                "body": base64.b64encode(event.body).decode(),
            }
        )

        for number in range(MAX_EVENTS):
            try:
                # The number is free only once, however many processes receive.
                with (receiver / f"{number:03}.json").open("x", encoding="utf-8") as file:
                    file.write(text)

                break

            except FileExistsError:
                continue

        replies = [Reply(*each) for each in self._read(receiver / "replies", [[200, 0.0]])]
        before = [each for each in self.events(key) if each.what == "callback"]
        return replies[min(max(len(before) - 1, 0), len(replies) - 1)]

    def events(self, key: str) -> list[Event]:
        """Return what the receiver *key* has received, oldest first."""
        files = sorted(self._receiver(key).glob("*.json"))
        found = [self._read(file, None) for file in files]
        return [
            Event(
                each["what"],
                datetime.fromisoformat(each["at"]),
                each["method"],
                tuple((name, value) for name, value in each["headers"]),
                tuple((name, value) for name, value in each["parameters"]),
                base64.b64decode(each["body"]),
            )
            for each in found
            # A file that is being written is read the next time.
            if each is not None
        ]

    def add_session(self, session_id: str) -> None:
        """Remember that *session_id* belongs to a rehearsal, for good: Spayon may deliver late."""
        Path(self._sessions).mkdir(mode=0o700, parents=True, exist_ok=True)
        Path(self._session(session_id)).touch(mode=0o600)

    def has_session(self, session_id: str) -> bool:
        """Return True if *session_id* belongs to a rehearsal."""
        return os.path.exists(self._session(session_id))  # noqa: PTH110  in each callback

    def journal(self) -> dict[str, Any]:
        """Return what the last rehearsal has found out, by step."""
        found: dict[str, Any] = self._read(self.folder / "journal.json", {})
        return found

    def keep(self, journal: Mapping[str, Any]) -> None:
        """Keep *journal*, whole or not at all."""
        self._write(self.folder / "journal.json", journal)

    def report(self, environment: str) -> Path | None:
        """Return the newest report on *environment*, if there is any."""
        found = sorted(self.folder.glob(f"rehearsal-{environment}-*.json"))
        return found[-1] if found else None

    def _receiver(self, key: str) -> Path:
        return self.folder / "receivers" / key

    def _session(self, session_id: str) -> str:
        digest = sha256(session_id.encode("utf-8", "surrogatepass")).hexdigest()
        return f"{self._sessions}/{digest[:32]}"

    def _read(self, path: Path, default: Any) -> Any:
        try:
            return json.loads(path.read_text(encoding="utf-8"))

        except (FileNotFoundError, ValueError):
            return default

    def _write(self, path: Path, value: Any) -> None:
        fresh = path.with_name(f"{path.name}.new")
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(value, indent=2), encoding="utf-8")
        fresh.replace(path)
