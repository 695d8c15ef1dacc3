"""State: what a simulator remembers, as JSON has it, in a file that survives a restart and a kill.

The file has one JSON object in each line. The first line or lines hold all that was known when the
file was written; each line after them holds what has changed since, and replaces what it names.
"""

import json
import logging
import os
import shutil
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import asdict, fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache, partial
from pathlib import Path
from types import UnionType
from typing import Any, cast, get_args, get_origin

from .creation import TOO_MUCH, URLS, read_url
from .deliveries import Delivery
from .gateway import Gateway
from .log import ApiRequest
from .sessions import ID, STATUSES, STEPS_KEPT, PaymentSession, moment

logger = logging.getLogger(__name__)
#: Seconds between two looks at whether there is something to save.
PAUSE = 0.25

#: Bytes of changes after which the file is written anew.
GROWTH = 32 * 1024 * 1024

#: Entries in one line of the file.
PIECE = 200

#: The lists of a gateway that make its state, with the key of their entries.
LISTS = {"sessions": "id", "deliveries": "number", "requests": "number"}


class StateFile:
    """Keep what *gateway* knows in the file *path*, at most a second behind."""

    def __init__(self, path: Path, gateway: Gateway) -> None:
        self._path = path
        self._gateway = gateway
        self._saved = ""
        self._tokens = -1
        self._clears = gateway.clears
        self._grown = 0
        self._loaded = False
        self._lock: sqlite3.Connection | None = None
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def load(self) -> None:
        """Take back what was saved, if anything was; a `ValueError` says why that cannot be."""
        if self._path.is_dir():
            raise ValueError(f"{self._path} is a folder: name a file in it")

        # A lock that every system has, and that ends with its process: that of a database.
        lock = self._path.with_name(f"{self._path.name}.lock")
        try:
            self._lock = sqlite3.connect(lock, timeout=0, check_same_thread=False)
            self._lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            taken = "locked" in str(error)
            why = "is in use by another simulator" if taken else f"cannot be written: {error}"
            raise ValueError(f"{self._path} {why}") from None

        # A file without content is a new one: of `touch`, or mounted into a container.
        if not self._loaded and self._path.exists() and self._path.stat().st_size:
            load_file(self._gateway, self._path)

        self._loaded = True
        # From now on changes are noted.
        for name in LISTS:
            getattr(self._gateway, name).take_changed()

    def start(self) -> None:
        """Save from now on, soon after anything has happened."""
        self._try(self.save_all)
        self._ending.clear()
        self._thread = threading.Thread(target=self._keep_saving, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Save for the last time."""
        if self._thread is not None:
            self._ending.set()
            self._thread.join()
            self._thread = None
            self._try(self.save_all)

        if self._lock is not None:
            self._lock.close()

    def save_all(self) -> None:
        """Write the file anew; what changes meanwhile is saved as well."""
        # Beside the file, because only a rename within one file system happens at once.
        fresh = self._path.with_name(f"{self._path.name}.{os.getpid()}.new")
        late: list[str] = []
        version = self._gateway.version
        # Personal data of whoever tries the shop is for the user of this machine alone.
        fresh.touch(mode=0o600)
        with fresh.open("w", encoding="utf-8") as file:
            for part in parts(self._gateway):
                file.write(json.dumps(part) + "\n")
                late += self.save() if self._saved else ()

            file.writelines(late)

        try:
            fresh.replace(self._path)
        except OSError:
            # A file that is mounted into a container cannot be replaced, only written.
            shutil.copyfile(fresh, self._path)
            fresh.unlink()

        self._saved, self._grown = self._saved or version, 0

    def save(self) -> list[str]:
        """Append what has changed since the last time; return the lines that were written."""
        version = self._gateway.version
        if version == self._saved:
            return []

        line = json.dumps(self._changes()) + "\n"
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line)

        self._saved, self._grown = version, self._grown + len(line)
        return [line]

    def _changes(self) -> dict[str, Any]:
        gateway = self._gateway
        changes = next(parts(gateway))
        changes["clear"] = self._clears != gateway.clears
        if self._tokens == gateway.tokens.changes:
            del changes["tokens"]

        self._clears, self._tokens = gateway.clears, gateway.tokens.changes
        for name in LISTS:
            changes[name] = written(getattr(gateway, name).take_changed())

        return changes

    def _try(self, save: Callable[[], object]) -> None:
        try:
            save()
        except OSError as error:
            # What could not be appended is in the whole file that is written next.
            self._grown = GROWTH + 1
            logger.warning("The simulator could not save its state: %s", error)

    def _keep_saving(self) -> None:
        while not self._ending.wait(PAUSE):
            self._try(self.save_all if self._grown > GROWTH else self.save)


def parts(gateway: Gateway) -> Iterator[dict[str, Any]]:
    """Return all that *gateway* knows, armed faults apart, in pieces of a bounded size."""
    yield {
        "now": gateway.clock.now().isoformat(),
        "shape": asdict(gateway.shape),
        "holding": gateway.courier.holding,
        "transactions": gateway.sessions.transactions,
        "tokens": gateway.tokens.dump(),
    }
    for name in LISTS:
        known = list(getattr(gateway, name))
        for start in range(0, len(known), PIECE):
            yield {name: written(known[start : start + PIECE])}


def load_file(gateway: Gateway, path: Path) -> None:
    """Give *gateway* what the file at *path* holds.

    A `ValueError` says that it is no state. A last line that a kill has cut off is left out.
    """
    whole: dict[str, Any] = {name: {} for name in LISTS}
    lines = path.read_text(encoding="utf-8").splitlines()
    try:
        for index, line in enumerate(lines):
            try:
                part = json.loads(line)
            except ValueError:
                if not index or index + 1 < len(lines):
                    raise

                break

            if part.pop("clear", False):
                whole |= {name: {} for name in LISTS}

            for name, key in LISTS.items():
                whole[name] |= {each[key]: each for each in part.pop(name, ())}

            whole |= part

        restore(gateway, whole | {name: list(whole[name].values()) for name in LISTS})
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
        raise ValueError(f"{path} holds no state of a simulator: {error!r}") from error


def restore(gateway: Gateway, state: Mapping[str, Any]) -> None:
    """Give *gateway* back what `parts` returned; what fell due meanwhile is due at once."""
    saved = moment(state["now"])
    if saved > gateway.clock.now():
        gateway.clock.set(saved)

    gateway.shape.change(**state.get("shape", {}))
    gateway.courier.holding = bool(state.get("holding"))
    gateway.tokens.load(state.get("tokens", {}))
    gateway.sessions.transactions = int(state.get("transactions", gateway.sessions.transactions))
    for session in state["sessions"]:
        gateway.resume(session_in(session))

    for delivery in state["deliveries"]:
        gateway.courier.restore(read(Delivery, delivery))

    for request in state["requests"]:
        gateway.requests.add(read(ApiRequest, request))


def written(value: Any) -> Any:
    """Return *value*, a dataclass of the simulator's or a list of them, as JSON has it."""
    if is_dataclass(value):
        return {name: written(getattr(value, name)) for name, _ in fields_of(value.__class__)}

    if isinstance(value, list | tuple | deque):
        return [written(each) for each in list(value)]
    for kind, (write, _) in FORMS.items():
        if isinstance(value, kind):
            return write(value)

    return value


def read(kind: Any, value: Any) -> Any:
    """Return the *kind* that `written` made *value* of; a `ValueError` says that it is none."""
    if isinstance(kind, UnionType):
        return None if value is None else read(get_args(kind)[0], value)

    if isinstance(kind, type) and is_dataclass(kind):
        known = [each for each in fields_of(kind) if each[0] in value]
        return kind(**{name: read(type_, value[name]) for name, type_ in known})

    made = get_origin(kind) or kind
    if made is dict:
        return {str(name): read(get_args(kind)[1], each) for name, each in value.items()}

    if made in FORMS:
        return FORMS[made][1](value)

    if not isinstance(value, list if made in {list, tuple, deque} else made):
        raise ValueError(f"{value!a:.100} is no {made.__name__}")  # noqa: TRY004  a file is wrong

    if made in {list, tuple, deque}:
        return made(read(get_args(kind)[0], each) for each in value)

    return value


def session_in(record: Mapping[str, Any]) -> PaymentSession:
    """Return the session that `written` made *record* of; a `ValueError` says that it is none."""
    session: PaymentSession = read(PaymentSession, record)
    if not ID.fullmatch(session.id) or session.status not in STATUSES:
        raise ValueError(f"{session.id!a} is no id of a session, or its status is unknown")

    if not 0 < session.creation.price < TOO_MUCH:
        raise ValueError("the price of a session is impossible")

    for key in URLS:
        read_url(vars(session.creation), key)

    session.timeline = deque(session.timeline, maxlen=STEPS_KEPT)
    return session


@cache
def fields_of(kind: Hashable) -> list[tuple[str, Any]]:
    """Return the names and types of what is kept of the dataclass *kind*."""
    found = fields(cast("type[Any]", kind))
    return [(field.name, field.type) for field in found if field.type is not threading.Event]


#: What JSON has no form for: how it is written, and how it is read. A body that was edited by hand
#: may be no text at all, and comes back as it was.
FORMS: dict[Any, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    datetime: (datetime.isoformat, moment),
    Decimal: (str, Decimal),
    bytes: (
        partial(bytes.decode, errors="surrogateescape"),
        partial(str.encode, errors="surrogateescape"),
    ),
    float: (float, float),
}
